// The views of the page: one is shown, its link in the navigation is marked, and its name stands in the address.

export class Views {
  #sections;
  #links;
  #address;
  #current = "";
  #scrolled = new Map();

  /** Called with the name of the view that is shown now. */
  onShow = () => {};

  /** @param nav holds a link per view (`data-view`). @param sections the views by name; the first is the default. */
  constructor(nav, sections, address) {
    this.#sections = sections;
    this.#address = address;
    this.#links = [...nav.querySelectorAll("a[data-view]")];
    for (const link of this.#links) link.addEventListener("click", (event) => this.#clicked(event, link));
    address.onChange(() => this.restore());
    address.onWrite(() => this.#relink());
    this.#relink();
  }

  get current() {
    return this.#current;
  }

  /** Shows the view that the address names. */
  restore() {
    const [first] = Object.keys(this.#sections);
    const asked = this.#address.get("view");
    const name = Object.hasOwn(this.#sections, asked ?? "") ? asked : first;
    if (name === this.#current) return;
    this.#scrolled.set(this.#current, scrollY);
    this.#current = name;
    for (const [other, section] of Object.entries(this.#sections)) section.hidden = other !== name;
    for (const link of this.#links) {
      if (link.dataset.view === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.documentElement.dataset.view = name;
    this.onShow(name);
    scrollTo(0, this.#scrolled.get(name) ?? 0);
  }

  /** Goes to a view; the back button leads to the one before. */
  go(name, changes = {}) {
    this.#address.go({ ...this.#changes(name), ...changes });
  }

  /** The default view needs no name. A feed's page belongs to one view alone. */
  #changes(name) {
    const [first] = Object.keys(this.#sections);
    return { view: name === first ? null : name, feed: null };
  }

  #clicked(event, link) {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.go(link.dataset.view);
  }

  #relink() {
    for (const link of this.#links) link.href = this.#address.link(this.#changes(link.dataset.view));
  }
}
