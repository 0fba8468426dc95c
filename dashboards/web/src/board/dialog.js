// The dialog in which the rules of alerts are written.
import { readRule, RULES_MAX, writeRule } from "./rules.js";

const HELP = [
  ["sim.AAPL > 200", "the main figure of a topic; also >= < <= = !="],
  ["host.cpu:busy_pct >= 90 for 10s", "a field of its value, for at least that long (500ms, 10s, 5m, 1h)"],
  ["sim.AAPL > 200 until < 198", "over only when it is below 198"],
  ["sim.* stale", "each topic of a pattern; stale: no news for too long, or its feed is down"],
];
const OVER = "Without “until” an alert is over when it has not held for 5 s.";
/** Topics offered while one writes. */
const OFFERED_MAX = 500;

export class RulesDialog {
  /** Called with all rules when they have changed. */
  onChange = () => {};

  #topics;
  #calls;
  #count;
  #rules = [];
  #edited = -1;
  #dialog;
  #input;
  #error;
  #add;
  #list;
  #offered;
  #hint;
  #flaws;
  #sound;
  #notify;

  /** @param count says how many topics a rule follows */
  constructor(dialog, { topics, calls, count }) {
    this.#dialog = dialog;
    this.#topics = topics;
    this.#calls = calls;
    this.#count = count;
    this.#build();
    calls.onChange = () => this.#paintCalls();
  }

  open(rules, flaws) {
    this.#rules = rules;
    this.#flaws.textContent = flaws.join(" ");
    this.#edit(-1);
    this.#paint();
    this.#paintCalls();
    const names = [...this.#topics.all()].map(({ name }) => name).sort();
    this.#offered.replaceChildren(...names.slice(0, OFFERED_MAX).map((name) => new Option("", `${name} > `)));
    this.#dialog.showModal();
    this.#input.focus();
  }

  #build() {
    const add = (tag, parent, properties = {}) => {
      const one = document.createElement(tag);
      parent.append(Object.assign(one, properties));
      return one;
    };
    const dialog = this.#dialog;
    dialog.classList.add("alerts-dialog");
    add("h2", dialog, { textContent: "Alerts" });
    this.#flaws = add("p", dialog, { className: "flaw" });
    const form = add("form", dialog);
    const label = add("label", form, { textContent: "Rule" });
    this.#offered = add("datalist", form, { id: "alerts-topics" });
    const typed = add("div", form, { className: "typed" });
    this.#input = add("input", typed, { id: "alerts-rule", type: "text", autocomplete: "off", spellcheck: false });
    this.#input.placeholder = HELP[0][0];
    this.#input.setAttribute("list", this.#offered.id);
    this.#input.setAttribute("aria-describedby", "alerts-error");
    label.htmlFor = this.#input.id;
    this.#add = add("button", typed, { textContent: "Add" });
    this.#error = add("p", form, { id: "alerts-error", className: "flaw" });
    this.#error.setAttribute("role", "alert");
    this.#input.addEventListener("input", () => this.#say(""));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#list = add("ul", dialog, { className: "rules" });
    this.#list.setAttribute("role", "list");
    const help = add("details", dialog);
    add("summary", help, { textContent: "What a rule may say" });
    const terms = add("dl", help);
    for (const [rule, words] of HELP) {
      const term = add("dt", terms);
      add("code", term, { textContent: rule });
      add("dd", terms, { textContent: words });
    }
    add("p", help, { textContent: OVER });
    const calls = add("fieldset", dialog);
    add("legend", calls, { textContent: "When one fires, this browser also" });
    const choice = (words, choose) => {
      const box = add("input", add("label", calls), { type: "checkbox" });
      box.after(` ${words}`);
      box.addEventListener("change", () => choose(box.checked));
      return box;
    };
    this.#sound = choice("plays a sound", (yes) => this.#calls.setSound(yes));
    this.#notify = choice("shows a notification", async (yes) => {
      const why = await this.#calls.setNotify(yes);
      this.#paintCalls();
      if (why) this.#hint.textContent = why;
    });
    this.#hint = add("p", calls, { className: "flaw" });
    this.#hint.setAttribute("role", "status");
    const done = add("button", dialog, { type: "button", textContent: "Done" });
    done.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  }

  #say(error) {
    if (this.#error.textContent !== error) this.#error.textContent = error;
    this.#input.toggleAttribute("aria-invalid", error !== "");
  }

  #submit() {
    let rule;
    try {
      rule = readRule(this.#input.value);
    } catch ({ message }) {
      this.#say(`${message}.`);
      this.#input.focus();
      return;
    }
    const text = writeRule(rule);
    const same = this.#rules.findIndex((other) => writeRule(other) === text);
    if (same >= 0 && same !== this.#edited) return this.#say("There is such a rule already.");
    if (this.#edited < 0 && this.#rules.length >= RULES_MAX) {
      return this.#say(`${RULES_MAX} rules are the most. Remove one first, or use a pattern such as sim.*`);
    }
    const rules = [...this.#rules];
    if (this.#edited < 0) rules.push(rule);
    else rules[this.#edited] = rule;
    this.#edit(-1);
    this.#change(rules);
    this.#input.focus();
  }

  #change(rules) {
    this.#rules = rules;
    this.#flaws.textContent = "";
    this.onChange(rules);
    this.#paint();
  }

  /** Puts a rule into the box, or none: -1. */
  #edit(place) {
    this.#edited = place;
    this.#input.value = place < 0 ? "" : writeRule(this.#rules[place]);
    this.#add.textContent = place < 0 ? "Add" : "Save";
    this.#say("");
  }

  #paint() {
    const rows = this.#rules.map((rule, place) => {
      const row = document.createElement("li");
      const text = writeRule(rule);
      const code = document.createElement("code");
      code.textContent = text;
      const state = document.createElement("span");
      const known = [...this.#topics.all()].length > 0 ? this.#stateOf(rule) : "";
      state.textContent = known;
      row.append(code, state);
      const button = (words, act) => {
        const one = document.createElement("button");
        one.type = "button";
        one.textContent = words;
        one.setAttribute("aria-label", `${words} ${text}`);
        one.addEventListener("click", act);
        row.append(one);
      };
      button("Edit", () => {
        this.#edit(place);
        this.#input.focus();
      });
      button("Remove", () => {
        this.#edit(-1);
        this.#change(this.#rules.filter((other) => other !== rule));
        this.#input.focus();
      });
      return row;
    });
    this.#list.replaceChildren(...rows);
    this.#list.hidden = rows.length === 0;
  }

  /** Whether a rule has something to follow. */
  #stateOf(rule) {
    const topic = this.#topics.get(rule.name);
    if (rule.path !== null && topic?.figures.length > 0 && !topic.figures.includes(rule.path)) {
      return `no field ${rule.path}; there is ${topic.figures.slice(0, 5).join(", ")}`;
    }
    const count = this.#count(rule) || (topic ? 1 : 0);
    return count === 0 ? "no such topic yet" : count === 1 ? "1 topic" : `${count} topics`;
  }

  #paintCalls() {
    this.#sound.checked = this.#calls.sound;
    this.#notify.checked = this.#calls.notify;
    this.#hint.textContent = this.#calls.hindrance;
  }
}
