// Build decks with Node alone: for a teacher who edits a deck and has no environment of the course.
//
//     npm ci                        once
//     npm run build -- course 04    decks by the beginnings of their names; all when none is given
//     npm run build -- --html 04    without the PDF, so without a browser
//     npm run notes -- 04_advi.html the notes of a built deck for printing
//
// Figures and sentences come from the built notebooks, which ship: no lesson runs. What is written is, byte for byte,
// what `python -m tools slides` writes (tools/decks.py says what the placeholders mean); only that checks each number,
// and this takes numbers as they stand. CHROME_PATH names the browser that prints.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { handouts } from "./handout.mjs";

const SLIDES = import.meta.dirname;
const NOTEBOOKS = join(SLIDES, "..", "notebooks");
const BUILT_WITH = ["theme.css", "package.json", "package-lock.json", "handout.mjs"];
const WITH_HANDOUT = ["course"];
const LIVE = join(NOTEBOOKS, "live"); // explorers that run in a page: tools/live.py makes them
const ON_A_SLIDE = "display: block; height: 100%; margin: 0 24px; text-align: left; font-size: 27px";

class DeckError extends Error {}

const read = (...parts) => readFileSync(join(...parts), "utf-8");

// --- Lessons ------------------------------------------------------------------------------------------------------------

const notebooks = new Map();

function notebook(number) {
  if (!notebooks.has(number)) {
    const folder = /\d/.test(number) ? NOTEBOOKS : join(NOTEBOOKS, "appendix");
    const name = readdirSync(folder).find((file) => file.startsWith(`${number}_`) && file.endsWith(".ipynb"));
    if (!name) throw new DeckError(`there is no lesson ${number}`);
    const cells = JSON.parse(read(folder, name)).cells;
    notebooks.set(number, cells.flatMap((cell) => cell.outputs ?? []));
  }
  return notebooks.get(number);
}

function figure(number, place) {
  const drawn = notebook(number).map((output) => output.metadata).filter((metadata) => metadata?.figure);
  const metadata =
    drawn.find(({ figure }) => figure.file.replace(/\.\w+$/, "") === place) ?? (/^\d+$/.test(place) && drawn[place - 1]);
  if (!metadata) throw new DeckError(`there is no figure ${place} in lesson ${number}`);
  return { path: join(NOTEBOOKS, "figures", number, metadata.figure.file), alt: metadata["image/png"].alt };
}

function sentence(id) {
  const number = id.split("-")[0].toUpperCase();
  for (const output of notebook(number)) {
    for (const line of [output.text ?? []].flat().join("").split("\n")) {
      const found = line.match(/^✓ (.+)  \[([a-z0-9-]+): [^\]]+\]$/);
      if (found?.[2] === id) return found[1];
    }
  }
  throw new DeckError(`lesson ${number} prints no claim ${id}: see notebooks/CLAIMS.md for those it prints`);
}

// --- Filling, as tools/decks.py does --------------------------------------------------------------------------------------

function comment(whole, said, offset, text) {
  const cell = said.match(/^\s*(?:lesson|appendix) (\d\d|[A-Z]): (.+?)\s*$/);
  if (!cell) return whole.replace(/\n(?=Say|Ask|Misconception|Minutes|Short)/g, "\n\n");
  const [, number, section] = cell;
  const restOfSlide = text.slice(offset + whole.length).split(/^---$/m)[0];
  const mark = /^Short:/m.test(restOfSlide) ? " ◆" : "";
  const kind = /\d/.test(number) ? "lesson" : "appendix";
  return `<!-- _footer: ${JSON.stringify(`${kind} ${number} · ${section}${mark}`)} -->`;
}

const ESCAPED = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
const escaped = (text) => text.replace(/[&<>"']/g, (sign) => ESCAPED[sign]);

function picture(whole, ownAlt, number, place, part) {
  const { path, alt } = figure(number, place);
  if (Boolean(part) !== Boolean(ownAlt)) {
    throw new DeckError(`words are needed for a part of a figure, and for that only, got ${whole}`);
  }
  const svg = part ? partOf(read(path), part.split(",").map(Number)) : read(path);
  return `<figure><img alt="${escaped(ownAlt || alt)}" src="${address("svg+xml", Buffer.from(svg))}"></figure>`;
}

const address = (kind, content) => `data:image/${kind};base64,${content.toString("base64")}`;

function partOf(svg, [left, top, width, height]) {
  return svg.replace(/width="([\d.]+)pt" height="([\d.]+)pt" viewBox="0 0 \1 \2"/, (_, across, down) => {
    const [x, y, w, h] = [[left, across], [top, down], [width, across], [height, down]].map(
      ([share, side]) => (share * (side / 100)).toFixed(2),
    );
    return `width="${w}pt" height="${h}pt" viewBox="${x} ${y} ${w} ${h}"`;
  });
}

// An explorer of lesson 09, with the alt text of the picture that its cell shows first.
function live(_, kind) {
  const outputs = notebook("09");
  const place = outputs.findIndex((output) => [output.data?.["text/html"] ?? []].flat().join("").endsWith(`kind="${kind}"></bnn-digits>`));
  if (place < 0) throw new DeckError(`there is no explorer ${kind}`);
  const { alt } = outputs.slice(0, place).findLast((output) => output.metadata?.["image/png"]).metadata["image/png"];
  const onPaper = `<img alt="${escaped(alt)}" src="${address("svg+xml", readFileSync(join(LIVE, `${kind}.svg`)))}">`;
  return `<figure><bnn-digits kind="${kind}" style="${ON_A_SLIDE}">${onPaper}</bnn-digits></figure>`;
}

const isUsed = (page) => page.includes("<bnn-digits");

function claim(_, id) {
  const plain = sentence(id).replace(/[*_`$[\]|~\\<>&]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const whole = plain.replace(/\d{1,3}(?: \d{3})+|\d+(?:\.\d+)?(?: %|e-\d+)/g, "<i>$&</i>");
  return `<span class="claim">${whole}</span>`;
}

function filled(text) {
  const all = text
    .replace(/<!--([^]*?)-->/g, comment)
    .replace(/!\[([^[\]]*)\]\(figure:(\d\d|[A-Z])\/([\w-]+)(?:#(\d+(?:,\d+){3}))?\)/g, picture)
    .replace(/!\[\]\(live:(\w+)\)/g, live)
    .replace(/\{claim:([\w-]+)\}/g, claim)
    .replace(/\[([^[\]]*)\]\{(?:claim|printed|source|code)=[^{},]+(?:, bound)?\}/g, '<span class="number">$1</span>');
  const left = all.replace(/src="[^"]*"/g, "").match(/.{0,30}(?:figure:|\(live:|\]\{\w+=[^{}]*\}|\{claim[:=][^{}]*\}).{0,30}/);
  if (left) throw new DeckError(`a placeholder is misspelt near “${left[0]}”`);
  return all;
}

// --- Building, as tools/slides.py does ------------------------------------------------------------------------------------

function theme() {
  const files = join(SLIDES, "node_modules/@fontsource/source-sans-3/files");
  const ranges = { latin: "U+0000-02FF,U+2000-206F,U+2191,U+2193,U+2212", greek: "U+0370-03FF" };
  const faces = [["400", "normal"], ["400", "italic"], ["600", "normal"]].flatMap(([weight, style]) =>
    Object.entries(ranges).map(([subset, codes]) => {
      const data = readFileSync(join(files, `source-sans-3-${subset}-${weight}-${style}.woff2`)).toString("base64");
      const name = `@font-face{font-family:"Source Sans 3";font-weight:${weight};font-style:${style};`;
      return `${name}unicode-range:${codes};src:url(data:font/woff2;base64,${data})}`;
    }),
  );
  return read(SLIDES, "theme.css").replace("/* fonts */", faces.join("\n"));
}

function marp(...words) {
  const script = join(SLIDES, "node_modules/@marp-team/marp-cli/marp-cli.js");
  const command = ["--require", join(SLIDES, "fixed_date.cjs"), script, ...words];
  const done = spawnSync(process.execPath, command, { cwd: SLIDES, encoding: "utf-8" });
  if (done.status) throw new DeckError(`Marp failed: ${done.stderr.trim()}`);
}

async function build(names, target, onlyPages) {
  const scratch = mkdtempSync(join(tmpdir(), "slides-"));
  try {
    mkdirSync(join(scratch, "in"));
    writeFileSync(join(scratch, "course.css"), theme());
    const digests = new Map();
    for (const name of names) {
      const text = filled(read(SLIDES, `${name}.md`));
      const parts = [text, ...BUILT_WITH.map((file) => read(SLIDES, file))];
      if (isUsed(text)) parts.push(read(LIVE, "digits.html"));
      digests.set(name, createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 32));
      const marked = text.replace("---\n", `---\nkeywords: slides-${digests.get(name)}\n`);
      writeFileSync(join(scratch, "in", `${name}.md`), marked);
    }
    const shared = ["--theme-set", join(scratch, "course.css"), "--input-dir", join(scratch, "in")];
    marp(...shared, "--output", join(scratch, "out"));
    if (!onlyPages) marp(...shared, "--output", join(scratch, "out"), "--pdf");
    for (const [name, digest] of digests) {
      const mark = `<head><meta name="keywords" content="slides-${digest}">`;
      let page = read(scratch, "out", `${name}.html`).replace("<head>", mark);
      if (isUsed(page)) page = page.replace("</body>", () => `${read(LIVE, "digits.html")}</body>`);
      writeFileSync(join(target, `${name}.html`), page);
      if (!onlyPages) copyFileSync(join(scratch, "out", `${name}.pdf`), join(target, `${name}.pdf`));
    }
    const talks = WITH_HANDOUT.filter((name) => digests.has(name) && !onlyPages);
    if (talks.length) await handouts(talks.map((name) => join(target, `${name}.html`)));
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function chosen(words) {
  const all = readdirSync(SLIDES).filter((file) => /^(?:\d\d_.*|course)\.md$/.test(file)).map((file) => file.slice(0, -3));
  for (const word of words) {
    if (all.filter((name) => name.startsWith(word)).length !== 1) {
      throw new DeckError(`a deck is named by the beginning of one of ${all.join(", ")}, got ${word}`);
    }
  }
  return all.filter((name) => !words.length || words.some((word) => name.startsWith(word)));
}

try {
  const options = { html: { type: "boolean" }, output: { type: "string", default: SLIDES } };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const names = chosen(positionals);
  await build(names, values.output, values.html);
  console.log(`built ${names.join(", ")}; numbers were taken as they stand, \`python -m tools slides --check\` checks them`);
} catch (error) {
  if (!(error instanceof DeckError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
