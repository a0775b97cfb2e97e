// Notes for the speaker on paper: each slide small, its notes beside it.
//
//     node handout.mjs NN_slug.html …        writes NN_slug.notes.pdf beside each
//
// CHROME_PATH names the browser; without it, an installed Chrome is looked for.
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core"; // Marp prints by it, too

const STYLE = `
  @page { size: A4; margin: 14mm 14mm 16mm; }
  html, body { margin: 0; background: none; overflow: visible; height: auto; }
  body { font: 10.5pt/1.35 "Source Sans 3", "Liberation Sans", Arial, sans-serif; color: #1b1b1b; }
  header { margin-bottom: 5mm; border-bottom: 0.5mm solid #0072b2; }
  header h1 { font-size: 17pt; margin: 0; }
  header p { margin: 1mm 0 2mm; color: #555; }
  article { display: grid; grid-template-columns: 76mm 1fr; gap: 5mm; margin-bottom: 4.5mm; break-inside: avoid; }
  article > :first-child { box-sizing: border-box; height: 43mm; border: 0.2mm solid #c9c9c9; }
  article svg[data-marpit-svg] { display: block; width: 100%; height: 100%; }
  article p { margin: 0 0 1mm; }
`;

// In the page: put each slide beside its notes.
function arrange(style) {
  const title = document.title;
  const digest = document.querySelector('meta[name="keywords"]')?.content ?? "";
  const minutes = { Minutes: 0, Short: 0 };
  const articles = [...document.querySelectorAll("svg[data-marpit-svg]")].map((slide, index) => {
    const notes = document.querySelector(`.bespoke-marp-note[data-index="${index}"]`);
    const lines = notes.textContent.trim().split(/\n+(?=\w+: )/);
    const backup = slide.querySelector("h1").textContent.startsWith("Backup: ");
    const beside = document.createElement("div");
    for (const line of lines) {
      const [, key, said] = line.match(/^(\w+): ([^]*)$/);
      if (key in minutes && !backup) minutes[key] += Number(said);
      const paragraph = document.createElement("p");
      paragraph.append(Object.assign(document.createElement("strong"), { textContent: `${key} ` }), said);
      beside.append(paragraph);
    }
    const article = document.createElement("article");
    const frame = Object.assign(document.createElement("div"), { id: slide.parentElement.id }); // what the theme styles
    frame.append(slide);
    article.append(frame, beside);
    return article;
  });
  for (const sheet of document.querySelectorAll("style")) if (sheet.textContent.includes("bespoke")) sheet.remove();
  document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
  const header = document.createElement("header");
  const short = minutes.Short ? `; ${minutes.Short} for the slides with ◆` : "";
  header.append(
    Object.assign(document.createElement("h1"), { textContent: title }),
    Object.assign(document.createElement("p"), {
      textContent: `Notes for the speaker. ${minutes.Minutes} minutes${short}. In the HTML deck, the key p shows them.`,
    }),
  );
  document.body.className = "";
  document.body.removeAttribute("data-bespoke-view");
  document.body.replaceChildren(header, ...articles);
  document.title = `${title} · notes for the speaker ${digest}`.trim();
}

export async function handouts(pages) {
  const browser = await puppeteer.launch({
    ...(process.env.CHROME_PATH ? { executablePath: process.env.CHROME_PATH } : { channel: "chrome" }),
    args: ["--no-sandbox", "--disable-gpu"],
  });
  try {
    for (const path of pages) {
      const page = await browser.newPage();
      await page.setJavaScriptEnabled(false); // the deck's own script would show one slide only
      await page.goto(pathToFileURL(path).href);
      await page.evaluate(arrange, STYLE);
      await page.emulateMediaType("screen"); // in print, each slide fills a sheet
      const number = '<p style="font-size:8pt;width:100%;text-align:center"><span class="pageNumber"></span></p>';
      await page.pdf({
        path: path.replace(/\.html$/, ".notes.pdf"),
        preferCSSPageSize: true,
        displayHeaderFooter: true,
        headerTemplate: "<p></p>",
        footerTemplate: number,
      });
      await page.close();
    }
  } finally {
    await browser.close();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await handouts(process.argv.slice(2));
