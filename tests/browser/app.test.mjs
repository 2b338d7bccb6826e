// The app's first page as a visitor has it: a story without a click, and every control.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inApp, server } from "./app.mjs";
import { assertNothingBad, launchChromium } from "./harness.mjs";

for (const webgpu of [true, false]) {
  test(`a first visit ${webgpu ? "with" : "without"} WebGPU tells a story without a click, and asks only its own origin`, async () => {
    const chromium = await launchChromium({ webgpu });
    try {
      await inApp(
        async (app) => {
          assert.ok((await app.written()).length > 40);
          assert.equal(await app.fact("Architecture"), "llama");
          assert.match(await app.page.locator("#backend-reason").textContent(), /^Runs on: CPU\b.*\./);
          assert.match(await app.page.locator("#stats").textContent(), /tokens\/s.*First token after.*(ms|s)/);
          assertNothingBad(app.watch, [server.origin]);
        },
        { chromium },
      );
    } finally {
      await chromium.close();
    }
  });
}

test("text streams: it grows while Stop is offered", async () => {
  await inApp(
    async (app) => {
      const lengths = await app.page.evaluate(() => [...globalThis.lengths]);
      assert.ok(lengths.length >= 3, `lengths seen while writing: ${lengths}`);
      assert.deepEqual(lengths, lengths.toSorted((a, b) => a - b));
    },
    {
      pause: 20,
      watchPage: () => {
        globalThis.lengths = new Set();
        new MutationObserver(() => {
          const stop = document.getElementById("stop");
          const written = document.getElementById("written");
          if (stop && written && !stop.hidden) globalThis.lengths.add(written.textContent.length);
        }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
      },
    },
  );
});

test("Stop, and the Escape key, end the text and keep it; the keyboard's focus stays on the button", async () => {
  await inApp(
    async (app) => {
      await app.set("Most new tokens", 400);
      // All tokens nearly alike, so that the model's own end does not come first.
      for (const [label, value] of [["Temperature", 2], ["Top-k", 0], ["Top-p", 1], ["Min-p", 0]]) await app.set(label, value);
      for (const end of [() => app.stop.press("Enter"), () => app.page.keyboard.press("Escape")]) {
        await app.generate.focus();
        await app.page.keyboard.press("Enter");
        await app.page.waitForFunction(() => document.getElementById("written").textContent.length > 5);
        assert.equal(await app.page.evaluate(() => document.activeElement.id), "stop");
        await end();
        await app.finished();
        assert.match(await app.page.locator("#stats").textContent(), /you stopped it/);
        assert.equal(await app.page.evaluate(() => document.activeElement.id), "generate");
        assert.ok((await app.written()).length > 5);
      }
    },
    { pause: 40 },
  );
});

test("Ctrl and Enter write again from within the prompt, which is shown before the text", async () => {
  await inApp(async (app) => {
    await app.prompt.fill("The little dog ran");
    await app.prompt.press("Control+Enter");
    await app.page.locator("#given", { hasText: "The little dog ran" }).waitFor();
    await app.finished();
    assert.equal(await app.page.locator("#given").textContent(), "The little dog ran");
  });
});

test("the settings reach the engine", async () => {
  await inApp(async (app) => {
    await app.set("Most new tokens", 12);
    await app.set("Temperature", 0);
    const greedy = await app.write();
    assert.equal(await app.write(), greedy);
    assert.match(await app.page.locator("#stats").textContent(), /12 tokens/);

    await app.page.getByLabel("Stop texts").fill(greedy.slice(4, 8));
    assert.equal(await app.write(), greedy.slice(0, greedy.indexOf(greedy.slice(4, 8))));
    assert.match(await app.page.locator("#stats").textContent(), /a stop text/);

    await app.page.getByRole("button", { name: "Reset to defaults" }).click();
    assert.equal(await app.page.getByLabel("Temperature", { exact: true }).inputValue(), "0.8");
    assert.equal(await app.page.getByLabel("Stop texts").inputValue(), "");
  });
});

test("a kept seed gives the same text again", async () => {
  await inApp(async (app) => {
    await app.set("Most new tokens", 20);
    const first = await app.write();
    await app.page.getByLabel("A new random seed each time").uncheck();
    assert.equal(await app.write(), first);
  });
});

test("a value out of its range is brought back into it", async () => {
  await inApp(async (app) => {
    await app.set("Temperature", 99);
    assert.equal(await app.page.getByLabel("Temperature", { exact: true }).inputValue(), "2");
    await app.set("Top-k", "");
    assert.equal(await app.page.getByLabel("Top-k", { exact: true }).inputValue(), "40");
    await app.set("Most new tokens", 100_000);
    assert.equal(await app.page.getByLabel("Most new tokens", { exact: true }).inputValue(), "512");
  });
});

test("every control has a name, and every parameter an explanation", async () => {
  await inApp(async (app) => {
    const bare = await app.page.evaluate(() =>
      [...document.querySelectorAll("input, textarea, button, select, progress")]
        .filter((control) => {
          const isNamed = control.labels?.length > 0 || control.ariaLabel || control.textContent.trim();
          const isExplained =
            !control.closest(".parameter") ||
            document.getElementById(control.getAttribute("aria-describedby"))?.textContent;
          return !(isNamed || control.getAttribute("aria-labelledby")) || !isExplained;
        })
        .map((control) => control.outerHTML),
    );
    assert.deepEqual(bare, []);
  });
});

test("screen readers hear the end of a story and not each of its tokens", async () => {
  await inApp(async (app) => {
    assert.equal(await app.output.getAttribute("aria-live"), "off");
    assert.match(await app.page.getByRole("status").textContent(), /^Finished: \d+ tokens/);
  });
});

test("what looks like HTML is shown as text", async () => {
  await inApp(async (app) => {
    const prompt = "<img src=x onerror=alert(1)> <b>bold</b>";
    await app.set("Most new tokens", 3);
    await app.prompt.fill(prompt);
    await app.write();
    assert.equal(await app.page.locator("#given").textContent(), prompt);
    assert.equal(await app.page.locator("#output :is(img, b)").count(), 0);
  });
});

test("an empty prompt is told beside it, and the text before stays", async () => {
  await inApp(async (app) => {
    const before = await app.written();
    await app.prompt.fill("");
    await app.generate.click();
    await app.page.getByText("Write a beginning").waitFor();
    assert.equal(await app.alert.isVisible(), false);
    assert.equal(await app.written(), before);
    assert.equal(await app.page.evaluate(() => document.activeElement.id), "prompt");
    await app.prompt.fill("Once");
    assert.equal(await app.page.getByText("Write a beginning").count(), 0);
    await app.set("Most new tokens", 5);
    await app.write();
  });
});

test("a prompt that is too long leaves the text before and its figures", async () => {
  await inApp(async (app) => {
    const text = () => app.output.textContent();
    const stats = () => app.page.locator("#stats").textContent();
    const before = [await text(), await stats()];
    await app.prompt.fill("the dog ran away and ".repeat(400));
    await app.generate.click();
    await app.alert.getByText("ContextFullError").waitFor();
    await app.generate.waitFor();
    assert.deepEqual([await text(), await stats()], before);
    assert.equal(await app.page.getByRole("status").textContent(), "");
  });
});

test("on a phone the first story leaves the page where it is, with Stop in reach", async () => {
  await inApp(
    async (app) => {
      const bottoms = await app.page.evaluate(() => globalThis.bottoms);
      assert.ok(bottoms.length > 0);
      for (const bottom of bottoms) assert.ok(bottom > 300 && bottom <= 640, `Stop ends at ${bottom}`);
      assert.equal(await app.page.evaluate(() => scrollY), 0);
    },
    {
      visit: { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true },
      pause: 20,
      watchPage: () => {
        globalThis.bottoms = [];
        const look = () => {
          const stop = document.getElementById("stop");
          const isWriting = stop && !stop.hidden && document.getElementById("written").textContent.length > 10;
          if (isWriting) globalThis.bottoms.push(stop.getBoundingClientRect().bottom);
          requestAnimationFrame(look);
        };
        look();
      },
    },
  );
});

test("numbers between a slider's steps are valid, and the arrow keys step", async () => {
  await inApp(async (app) => {
    const field = app.page.getByLabel("Top-p", { exact: true });
    await app.set("Top-p", 0.99);
    assert.equal(await field.evaluate((input) => input.matches(":valid")), true);
    await field.press("ArrowDown");
    assert.equal(await field.inputValue(), "0.94");
  });
});

test("a single token is no speed, and no plural", async () => {
  await inApp(async (app) => {
    await app.set("Most new tokens", 1);
    await app.write();
    assert.match(await app.page.locator("#stats").textContent(), /^Speed–.*Written1 token(?!s)/);
  });
});

for (const width of [320, 360, 768, 1280, 1920]) {
  test(`nothing is wider than a window of ${width} pixels`, async () => {
    await inApp(
      async (app) => {
        await app.page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
        const over = await app.page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        assert.equal(over, 0);
      },
      { visit: { viewport: { width, height: 700 } } },
    );
  });
}
