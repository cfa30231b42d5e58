// Opens each page of a folder in Chromium, as somebody at a desk, with a phone, in the dark and with paper sees it: no violation that axe-core knows,
// nothing that is wider than the screen, nothing fetched from anywhere.
//
//   node check.mjs FOLDER [PICTURES]
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [folder, pictures] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node check.mjs FOLDER [PICTURES]");
  process.exit(2);
}
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const views = [
  { name: "desk", viewport: { width: 1100, height: 900 }, colorScheme: "light" },
  { name: "phone", viewport: { width: 375, height: 800 }, colorScheme: "light" },
  { name: "dark", viewport: { width: 375, height: 800 }, colorScheme: "dark" },
  { name: "paper", viewport: { width: 794, height: 1123 }, colorScheme: "light", media: "print" },
];
if (pictures) mkdirSync(pictures, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const problems = [];

async function look(view, files) {
  const context = await browser.newContext({ viewport: view.viewport, colorScheme: view.colorScheme });
  for (const file of files) {
    const said = (what) => problems.push(`${file} (${view.name}): ${what}`);
    const page = await context.newPage();
    const url = pathToFileURL(resolve(folder, file)).href;
    page.on("request", (request) => {
      if (request.url() !== url && !request.url().startsWith("data:")) said(`it fetches ${request.url()}`);
    });
    page.on("pageerror", (error) => said(`${error}`));
    if (view.media) await page.emulateMedia({ media: view.media });
    await page.goto(url);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wider > 0) said(`it is ${wider} pixels wider than the screen`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run());
    for (const { id, help, nodes } of violations) said(`${id}: ${help}, at ${nodes.map((node) => node.target).join("; ")}`);
    if (pictures) await page.screenshot({ path: resolve(pictures, `${file.replace(/\.html$/, "")}-${view.name}.png`), fullPage: true });
    await page.close();
  }
  await context.close();
}

const files = readdirSync(folder).filter((name) => name.endsWith(".html")).sort();
await Promise.all(views.map((view) => look(view, files)));
await browser.close();
if (files.length === 0) problems.push(`${folder} holds no page`);
for (const problem of problems.sort()) console.error(problem);
console.log(`${files.length} pages in ${views.length} views: ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
