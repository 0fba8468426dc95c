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

/** Lets a button turn through system, light and dark; `onChange` is told to draw again. */
export function themes(button, onChange) {
  let theme = "auto";
  try {
    theme = localStorage.getItem(KEY) ?? "auto";
  } catch {
    // Storage may be forbidden; then the choice lasts as long as the page.
  }
  const apply = () => {
    if (!THEMES.includes(theme)) theme = "auto";
    document.documentElement.dataset.theme = theme;
    const [sign, word] = { auto: ["◐", "Auto"], light: ["○", "Light"], dark: ["●", "Dark"] }[theme];
    button.textContent = `${sign} ${word}`;
    // Its name holds the word that is seen, so that who speaks to the page can say it.
    button.setAttribute("aria-label", `${word} colours`);
    onChange();
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // as above
    }
    apply();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
  apply();
}
