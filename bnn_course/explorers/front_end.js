// What a browser shows of an explorer: its picture with the line of numbers, and the pad on which one draws a digit.
// Runs in JupyterLab through anywidget; asks no server for anything.

const named = "[role=slider], select, input, canvas, .widget-play button";

// JupyterLab takes the arrow keys of a list for itself and moves to another cell: keep them from it.
const keepKeysOfLists = (event) => {
  if (event.target.tagName === "SELECT" && event.target.closest(".bnn-explorer")) event.stopPropagation();
};
window.addEventListener("keydown", keepKeysOfLists, true);

// ipywidgets 8 gives a slider's handle no name: screen readers would say "slider, 0.5". Name controls by their labels.
function nameControls(box, labels) {
  box.setAttribute("role", "group");
  for (const [position, control] of [...box.querySelectorAll(".bnn-control")].entries()) {
    for (const part of control.querySelectorAll(named)) {
      const icon = part.querySelector("i")?.className.match(/fa-(play|pause|stop|repeat|retweet)/)?.[1];
      part.setAttribute("aria-label", (icon ? `${icon === "retweet" ? "repeat" : icon}, ` : "") + labels[position]);
    }
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
  picture.style.maxWidth = "100%";
  el.append(line, picture);
  let url = null;
  const show = () => {
    const png = model.get("png");
    const next = URL.createObjectURL(new Blob([png], { type: "image/png" }));
    picture.onload = () => picture.setAttribute("data-draw", model.get("count"));
    picture.src = next;
    picture.alt = model.get("alt");
    line.textContent = model.get("line");
    if (url) URL.revokeObjectURL(url);
    url = next;
  };
  model.on("change:count", show);
  show();
  whenReady(() => {
    const box = el.closest(".bnn-explorer");
    if (!box) return false;
    box.setAttribute("aria-label", model.get("alt"));
    return nameControls(box, model.get("labels"));
  });
  return () => {
    model.off("change:count", show);
    URL.revokeObjectURL(url);
  };
}

const CELLS = 28;
const SIDE = 196; // pixels on the screen

// Draw with mouse, pen or finger; the 28 × 28 grey values go to Python while drawing, at most once per picture shown.
function renderPad({ model, el }) {
  const label = document.createElement("div");
  label.textContent = model.get("description");
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  Object.assign(canvas.style, { border: "1px solid #404040", background: "white", touchAction: "none", cursor: "crosshair" });
  const ink = canvas.getContext("2d", { willReadFrequently: true });
  let last = null;

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
    Object.assign(ink, { strokeStyle: "black", lineWidth: 15, lineCap: "round", lineJoin: "round" });
    ink.beginPath();
    ink.moveTo(...from);
    ink.lineTo(to[0] + 0.01, to[1]); // a line without length would leave no dot
    ink.stroke();
  };

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(last, last);
    send();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const now = place(event);
    stroke(last, now);
    last = now;
    send();
  });
  const end = () => {
    if (last) send();
    last = null;
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  model.on("change:ink", () => last || show());
  show();
  el.append(label, canvas);
}

export default {
  render(context) {
    return context.model.get("kind") === "pad" ? renderPad(context) : renderPicture(context);
  },
};
