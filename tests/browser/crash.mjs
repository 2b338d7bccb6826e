// For smoke.test.mjs: a test in the middle of which the page or the browser crashes, and that closes nothing.
import { test } from "node:test";
import { launchChromium, openPage } from "./harness.mjs";

test("what waits for a browser that crashes", async () => {
  const browser = await launchChromium({ webgpu: false });
  await launchChromium({ webgpu: false });
  const { page, context } = await openPage(browser, "about:blank");
  const waiting = page.evaluate(() => new Promise(() => {}));
  const crash =
    process.env.CRASH === "page"
      ? (await context.newCDPSession(page)).send("Page.crash")
      : (await browser.newBrowserCDPSession()).send("Browser.crash");
  crash.catch(() => {}); // The answer does not come either.
  await waiting;
});
