// The colours of the style sheet, for what draws on a canvas; and the reader's choice of light or dark.
const KEY = "tickerd-theme";
const THEMES = ["auto", "light", "dark"];
const probe = document.createElement("span");
probe.hidden = true;

/** The colour a custom property stands for now. A canvas cannot resolve `light-dark()` by itself. */
export function ink(name) {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/**
 * Lets a button turn through system, light and dark; `onChange` is told to draw again. A theme in the address goes before the
 * reader's own.
 */
export function themes(button, address, onChange) {
  let own = "auto";
  try {
    own = localStorage.getItem(KEY) ?? "auto";
  } catch {
    // Storage may be forbidden; then the choice lasts as long as the page.
  }
  const theme = () => [address.get("theme"), own].find((name) => THEMES.includes(name)) ?? "auto";
  const apply = () => {
    document.documentElement.dataset.theme = theme();
    const [sign, word] = { auto: ["◐", "Auto"], light: ["○", "Light"], dark: ["●", "Dark"] }[theme()];
    button.textContent = `${sign} ${word}`;
    // Its name holds the word that is seen, so that who speaks to the page can say it.
    button.setAttribute("aria-label", `${word} colours`);
    onChange();
  };
  button.addEventListener("click", () => {
    own = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
    if (address.get("theme") !== null) address.set("theme", own);
    try {
      localStorage.setItem(KEY, own);
    } catch {
      // as above
    }
    apply();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
  address.onChange(() => address.get("theme") !== null && apply());
  apply();
}
