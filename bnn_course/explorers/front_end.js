// What a browser shows of an explorer: its picture with the line of numbers, and the pad on which one draws a digit.
// Runs in JupyterLab through anywidget; asks no server for anything.

const named = "[role=slider], .widget-readout, select, input, canvas, .widget-play button";

// JupyterLab takes some keys for itself, the arrow keys to move to another cell: not while they move a control.
const keepKeys = (event) => {
  if (!event.target.closest?.(".bnn-explorer")) return;
  const plain = !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey);
  const ours = plain && /^(Arrow.*|Page.*|Home|End|Enter| )$/.test(event.key);
  event.target.toggleAttribute("data-lm-suppress-shortcuts", ours);
};
window.addEventListener("keydown", keepKeys, true);

// ipywidgets 8 gives a slider's handle no name, and the place in the list as its value: screen readers would say
// "slider, 3" where 0.3 is shown. Name controls by their labels, and let a slider say what stands beside it.
function nameControls(box, labels) {
  for (const [position, control] of [...box.querySelectorAll(".bnn-control")].entries()) {
    const readout = control.querySelector(".widget-readout");
    for (const part of control.querySelectorAll(named)) {
      const icon = part.querySelector("i")?.className.match(/fa-(play|pause|stop|repeat|retweet)/)?.[1];
      const what = part === readout ? "value, " : icon ? `${icon === "retweet" ? "repeat" : icon}, ` : "";
      part.setAttribute("aria-label", what + labels[position]);
    }
    readout?.setAttribute("role", "textbox");
    const handle = readout && control.querySelector("[role=slider]");
    const value = readout?.textContent;
    if (handle && handle.getAttribute("aria-valuetext") !== value) handle.setAttribute("aria-valuetext", value);
  }
  return box.querySelectorAll(".bnn-control").length === labels.length && box.querySelector(named) !== null;
}

function whenReady(attempt, tries = 100) {
  if (!attempt() && tries > 0) setTimeout(() => whenReady(attempt, tries - 1), 50);
}

function renderPicture({ model, el }) {
  const picture = document.createElement("img");
  const line = document.createElement("p");
  line.className = "bnn-line";
  line.setAttribute("aria-live", "polite");
  Object.assign(picture.style, { width: `${model.get("width")}px`, maxWidth: "100%" });
  el.append(line, picture);
  let url = null;
  const show = () => {
    const next = URL.createObjectURL(new Blob([model.get("svg")], { type: "image/svg+xml" }));
    picture.onload = () => picture.setAttribute("data-draw", model.get("count"));
    picture.src = next;
    picture.alt = model.get("alt");
    line.textContent = model.get("line");
    if (url) URL.revokeObjectURL(url);
    url = next;
  };
  model.on("change:count", show);
  show();
  const labels = model.get("labels");
  let renaming = null;
  whenReady(() => {
    const box = el.closest(".bnn-explorer");
    if (!box || !nameControls(box, labels)) return false;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", `Explorer with the controls ${labels.join(", ")}`);
    renaming = new MutationObserver(() => nameControls(box, labels)); // a value moves, "play" becomes "pause"
    const changes = { subtree: true, childList: true, characterData: true, attributes: true };
    renaming.observe(box.firstElementChild, { ...changes, attributeFilter: ["class", "aria-valuetext"] });
    return true;
  });
  return () => {
    renaming?.disconnect();
    model.off("change:count", show);
    URL.revokeObjectURL(url);
  };
}

const CELLS = 28;
const SIDE = 196; // pixels on the screen
const INK = 15; // width of a line
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KEYS = "By keyboard: arrow keys move the pen, space puts it down or lifts it.";

// Draw with mouse, pen, finger or keys; the 28 × 28 grey values go to Python while drawing, at most once per picture
// shown.
function renderPad({ model, el }) {
  const label = document.createElement("div");
  label.textContent = model.get("description");
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application"); // the keys are for the pad, not for the screen reader
  canvas.setAttribute("aria-description", KEYS);
  Object.assign(canvas.style, { border: "1px solid #404040", background: "white", touchAction: "none", cursor: "crosshair" });
  const ink = canvas.getContext("2d", { willReadFrequently: true });
  let last = null; // where mouse or finger is while it draws
  const pen = document.createElement("div"); // where the keys would draw
  let [at, down] = [[SIDE / 2, SIDE / 7], false];

  const clear = () => {
    ink.fillStyle = "white";
    ink.fillRect(0, 0, SIDE, SIDE);
  };
  const show = () => {
    const greys = Uint8Array.from(atob(model.get("ink")), (letter) => letter.charCodeAt(0));
    const small = new ImageData(CELLS, CELLS);
    greys.forEach((grey, i) => small.data.set([255 - grey, 255 - grey, 255 - grey, 255], 4 * i));
    const holder = new OffscreenCanvas(CELLS, CELLS);
    holder.getContext("2d").putImageData(small, 0, 0);
    clear();
    ink.drawImage(holder, 0, 0, SIDE, SIDE);
  };
  const read = () => {
    const shown = ink.getImageData(0, 0, SIDE, SIDE).data;
    const step = SIDE / CELLS;
    const greys = new Uint8Array(CELLS * CELLS);
    for (let cell = 0; cell < greys.length; cell++) {
      let sum = 0;
      const top = Math.floor(cell / CELLS) * step;
      const left = (cell % CELLS) * step;
      for (let y = 0; y < step; y++) for (let x = 0; x < step; x++) sum += 255 - shown[4 * ((top + y) * SIDE + left + x)];
      greys[cell] = Math.round(sum / step ** 2);
    }
    return btoa(String.fromCharCode(...greys));
  };
  const send = () => {
    model.set("ink", read());
    model.save_changes();
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
  };
  const stroke = (from, to) => {
    Object.assign(ink, { strokeStyle: "black", lineWidth: INK, lineCap: "round", lineJoin: "round" });
    ink.beginPath();
    ink.moveTo(...from);
    ink.lineTo(to[0] + 0.01, to[1]); // a line without length would leave no dot
    ink.stroke();
  };

  const showPen = (visible) => {
    const [left, top] = at.map((value) => `${value + 1 - INK / 2}px`); // the pad has a border of 1
    const look = { width: `${INK}px`, height: `${INK}px`, border: "1px solid #d55e00", borderRadius: "50%" };
    const place = { position: "absolute", left, top, boxSizing: "border-box", pointerEvents: "none" };
    Object.assign(pen.style, look, place, { background: down ? "#d55e00" : "none", display: visible ? "" : "none" });
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary) return; // a second finger
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(last, last);
    send();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last || !event.isPrimary) return;
    const now = place(event);
    stroke(last, now);
    last = now;
    send();
  });
  const end = (event) => {
    if (!event.isPrimary) return;
    if (last) send();
    last = null;
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step && event.key !== " ") return;
    event.preventDefault(); // the page would scroll
    down = step ? down : !down;
    const next = at.map((value, axis) => Math.min(SIDE, Math.max(0, value + (step ? step[axis] * (SIDE / CELLS) : 0))));
    if (down) stroke(at, next);
    at = next;
    showPen(true);
    if (down) send();
  });
  canvas.addEventListener("focus", () => showPen(canvas.matches(":focus-visible")));
  canvas.addEventListener("blur", () => showPen((down = false)));
  model.on("change:ink", () => last || down || show());
  show();
  showPen(false);
  const paper = document.createElement("div");
  paper.style.position = "relative";
  paper.append(canvas, pen);
  const hint = document.createElement("small");
  hint.textContent = KEYS;
  Object.assign(hint.style, { display: "block", maxWidth: `${SIDE}px`, lineHeight: "1.3" });
  el.append(label, paper, hint);
}

export default {
  render(context) {
    return context.model.get("kind") === "pad" ? renderPad(context) : renderPicture(context);
  },
};
