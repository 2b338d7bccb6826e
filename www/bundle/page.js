// The page that is one file: it takes its contents as they are parsed, starts the model, and lets a person write with it.

import { byId } from "../app/dom.js";
import { watchContents } from "./contents.js";
import { start } from "./engine.js";
import { checkBrowser, showFailure, showStage } from "./starting.js";
import { talk } from "./talk.js";

const whole = watchContents((done, total) => showStage("Unpacking", done, total));

whole.catch(() => {}); // told where it is waited for
const parsed = new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve, { once: true }));

/** @returns {Promise<void>} */
async function run() {
  try {
    await parsed;
    checkBrowser();
    const { settings, contents } = await whole;
    const model = await start(contents, showStage);
    byId("starting", HTMLElement).hidden = true;
    talk(byId("talk", HTMLElement), model, settings);
  } catch (error) {
    showFailure(error);
  }
}

void run();
