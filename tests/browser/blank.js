// A blank page with the page's styles and policy, where a test builds one part of the page alone.

/**
 * Opens one at the server of `serveAlone`, and runs `script` in it with `given`. `styles` are names of style sheets. The page
 * keeps its errors in `errors`.
 */
export async function openBlank({ browser, url }, styles, script, given, { hash = "" } = {}) {
  const page = await browser.context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  const links = ["page", ...styles].map((name) => `<link rel="stylesheet" href="styles/${name}.css">`).join("");
  await page.route("**/blank.html*", (route) =>
    route.fulfill({
      contentType: "text/html; charset=utf-8",
      headers: { "content-security-policy": "default-src 'self'" },
      body: `<!doctype html><html lang="en" data-link="live"><meta name="viewport" content="width=device-width"><title>blank</title>
<link rel="icon" href="favicon.svg">${links}<main></main>`,
    }),
  );
  await page.goto(`${url}blank.html${hash}`);
  await page.evaluate(script, given);
  return Object.assign(page, { errors });
}
