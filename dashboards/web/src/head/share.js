// A link to what is on the screen now.

/** The button says what it did for this long. */
const TOLD_MS = 2_500;

/** Lets a button copy the page's address. Without a clipboard (plain HTTP), `shown`, an input, holds it selected. */
export function share(button, shown) {
  const label = button.textContent;
  let timer = 0;
  button.addEventListener("click", async () => {
    shown.value = location.href;
    let word = "✓ Copied";
    try {
      await navigator.clipboard.writeText(location.href);
      shown.hidden = true;
    } catch {
      // Browsers have a clipboard for HTTPS and localhost only.
      shown.hidden = false;
      shown.focus();
      shown.select();
      word = "Copy the link";
    }
    button.textContent = word;
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = label), TOLD_MS);
  });
  shown.addEventListener("blur", () => (shown.hidden = true));
  shown.addEventListener("keydown", (event) => {
    if (event.key === "Escape") button.focus();
  });
}
