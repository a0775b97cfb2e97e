// The explorers "turn a digit" and "draw a digit" of lesson 09 in a page that has no kernel: slides, the site, nbviewer.
//
// What `digits.py` computes is computed here once more, from the same posterior and with the same 30 networks; the
// tests compare the two in a browser. `python -m tools live` puts this file and DATA into one script, which asks no
// server for anything. A page that holds the script shows <bnn-digits kind="turning"> and <bnn-digits kind="drawing">.

const CLASSES = 10;
const SIDE = 28; // cells of a picture, as in MNIST
const BOX = 20; // the longer side of a digit
const STEP = 5; // degrees
const SHAPES = { w1: [784, 128], b1: [1, 128], w2: [128, 128], b2: [1, 128], w3: [128, 10], b3: [1, 10] };
const BLUE = "#0072B2", VERMILLION = "#D55E00", SKY = "#56B4E9", GREY = "#9A9A9A", PALE = "#D9D9D9", DARK = "#404040";

// --- The noise of NumPy: numpy.random.default_rng(seed).standard_normal(dtype=float32) -----------------------------------

// PCG64 (O'Neill 2014): a state of 128 bits is multiplied and increased; its halves, mixed, are two words of 32 bits.
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;

function wordsOf({ state, increment }) {
  const added = BigInt(increment);
  let s = BigInt(state);
  const halves = new BigUint64Array(2);
  const parts = new Uint32Array(halves.buffer); // the same bits, the lowest first
  let waiting = 0;
  let waits = false;
  return () => {
    waits = !waits;
    if (!waits) return waiting;
    s = BigInt.asUintN(128, s * MULTIPLIER + added);
    halves[0] = s;
    halves[1] = s >> 64n;
    const low = parts[0] ^ parts[2];
    const high = parts[1] ^ parts[3];
    const turn = parts[3] >>> 26; // both together are turned right by 0 … 63 bits
    const a = turn & 32 ? high : low;
    const b = turn & 32 ? low : high;
    waiting = turn & 31 ? (b >>> turn) | (a << -turn) : b; // a shift looks at the last five bits only
    return turn & 31 ? (a >>> turn) | (b << -turn) : a;
  };
}

// The ziggurat (Marsaglia & Tsang 2000): 256 layers of equal area cover the density. Nearly always one word chooses a
// layer and a point in it, and the point lies under the density; else it is looked at more closely.
const f = Math.fround; // NumPy computes in single precision
const LAYERS = 256, EDGE = 3.6541528853610088, AREA = 0.00492867323399, POINTS = 2 ** 23;

function ziggurat() {
  const density = (x) => Math.exp((-x * x) / 2);
  const [width, inside, height] = [new Float32Array(LAYERS), new Uint32Array(LAYERS), new Float32Array(LAYERS)];
  let edge = EDGE;
  width[0] = AREA / density(EDGE) / POINTS;
  inside[0] = (EDGE * density(EDGE) * POINTS) / AREA;
  height[0] = 1;
  for (let layer = LAYERS - 1; layer > 0; layer--) {
    const inner = layer === 1 ? 0 : Math.sqrt(-2 * Math.log(AREA / edge + density(edge)));
    width[layer] = edge / POINTS;
    inside[layer] = (inner / edge) * POINTS;
    height[layer] = density(edge);
    edge = inner;
  }
  return { width, inside, height };
}

export function normalsOf(state) {
  const word = wordsOf(state);
  const uniform = () => (word() >>> 8) / 2 ** 24;
  const { width, inside, height } = ziggurat();
  const tail = () => {
    for (;;) {
      const x = -Math.log1p(-uniform()) / EDGE;
      const y = -Math.log1p(-uniform());
      if (2 * y > x * x) return EDGE + x;
    }
  };
  return () => {
    for (;;) {
      const drawn = word();
      const layer = drawn & 255;
      const point = drawn >>> 9;
      const x = f(point * width[layer]);
      const sign = drawn & 256 ? -1 : 1;
      if (point < inside[layer]) return sign * x;
      if (layer === 0) return f(point & 256 ? -tail() : tail());
      const y = f(f(f(height[layer - 1] - height[layer]) * uniform()) + height[layer]);
      if (y < Math.exp((-x * x) / 2)) return sign * x;
    }
  };
}

// --- The networks -----------------------------------------------------------------------------------------------------------

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

function halfPrecision(low, high) {
  const exponent = (high >> 2) & 31;
  const fraction = ((high & 3) << 8) | low;
  const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction / 2 ** 24;
  return high & 128 ? -size : size;
}

// Means, then standard deviations, in half precision: all lower bytes, then all upper ones, which packs better.
async function unpack(base64) {
  const packed = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
  const half = bytes.length / 2;
  return Float32Array.from({ length: half }, (_, i) => halfPrecision(bytes[i], bytes[half + i]));
}

export async function drawNetworks(data) {
  const posterior = await unpack(data.posterior);
  const [mean, sd] = [posterior.subarray(0, posterior.length / 2), posterior.subarray(posterior.length / 2)];
  const normal = normalsOf(data.noise);
  const networks = Array.from({ length: data.draws }, () => ({}));
  let start = 0;
  for (const [name, [rows, columns]] of Object.entries(SHAPES)) {
    const size = rows * columns;
    for (const network of networks) {
      const values = (network[name] = new Float32Array(size));
      for (let i = 0; i < size; i++) values[i] = mean[start + i] + f(sd[start + i] * normal());
    }
    start += size;
  }
  return networks;
}

function layer(inputs, weights, biases) {
  const outputs = Float64Array.from(biases);
  const n = outputs.length;
  for (let i = 0; i < inputs.length; i++) {
    const input = inputs[i];
    if (input === 0) continue; // most cells are paper
    for (let j = 0, at = i * n; j < n; j++, at++) outputs[j] += input * weights[at];
  }
  return outputs;
}

const relu = (values) => values.map((value) => Math.max(value, 0));

function softmax(logits) {
  const top = Math.max(...logits);
  const parts = logits.map((logit) => Math.exp(logit - top));
  const sum = parts.reduce((a, b) => a + b);
  return parts.map((part) => part / sum);
}

// What every network says of a picture (784 grey values): [draw][class].
export function probabilities(networks, picture) {
  const x = Float32Array.from(picture, (grey) => grey / 255);
  return networks.map((network) => {
    const h1 = relu(layer(x, network.w1, network.b1));
    const h2 = relu(layer(h1, network.w2, network.b2));
    return softmax(layer(h2, network.w3, network.b3));
  });
}

const sum = (values) => values.reduce((a, b) => a + b, 0);
const meanOf = (draws) => Array.from({ length: CLASSES }, (_, c) => sum(draws.map((draw) => draw[c])) / draws.length);
const entropy = (p) => -sum(Array.from(p, (q) => (q > 0 ? q * Math.log(q) : 0)));

export function judge(draws) {
  const mean = meanOf(draws);
  const total = entropy(mean);
  const aleatoric = sum(draws.map(entropy)) / draws.length;
  return { mean, total, aleatoric, epistemic: Math.max(0, total - aleatoric) };
}

function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  return sorted[below] + (at - below) * (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below]);
}

// --- Pictures ---------------------------------------------------------------------------------------------------------------

// The grey value between four cells; paper outside the picture.
function between(picture, y, x) {
  if (!(y >= 0 && y <= SIDE - 1 && x >= 0 && x <= SIDE - 1)) return 0;
  const [top, left] = [Math.floor(y), Math.floor(x)];
  const [down, right] = [y - top, x - left];
  const at = (row, column) => picture[Math.min(row, SIDE - 1) * SIDE + Math.min(column, SIDE - 1)];
  return (
    at(top, left) * (1 - down) * (1 - right) + at(top, left + 1) * (1 - down) * right +
    at(top + 1, left) * down * (1 - right) + at(top + 1, left + 1) * down * right
  );
}

const eachCell = (grey) => Float64Array.from({ length: SIDE ** 2 }, (_, i) => grey(Math.floor(i / SIDE), i % SIDE));

// As the makers of MNIST did: longer side 20 of 28 cells, centre of mass in the middle. `ink` has some ink on it.
export function asMnist(ink) {
  const darkest = Math.max(...ink);
  const [low, high, middle] = [[SIDE, SIDE], [0, 0], [0, 0]];
  ink.forEach((grey, i) => {
    [Math.floor(i / SIDE), i % SIDE].forEach((place, axis) => {
      middle[axis] += grey * place;
      if (grey <= 0.25 * darkest) return;
      low[axis] = Math.min(low[axis], place);
      high[axis] = Math.max(high[axis], place);
    });
  });
  const scale = (Math.max(high[0] - low[0], high[1] - low[1]) + 1) / BOX;
  const shift = middle.map((moment) => (moment / sum(ink) - (scale * SIDE) / 2) / scale);
  const scaled = eachCell((row, column) => between(ink, (row + shift[0]) * scale, (column + shift[1]) * scale));
  const top = Math.max(...scaled);
  return Uint8Array.from(scaled, (grey) => Math.round((255 * grey) / top));
}

// Turned to the left around the middle.
export function turned(picture, degrees) {
  const quarter = degrees % 90 === 0; // where sine and cosine would be off by 1e-16
  const radians = (degrees * Math.PI) / 180;
  const [c, s] = [Math.cos, Math.sin].map((of) => (quarter ? Math.round(of(radians)) : of(radians)));
  const centre = (SIDE - 1) / 2;
  const [down, right] = [centre - (c * centre + s * centre), centre - (c * centre - s * centre)];
  const grey = (row, column) => between(picture, down + row * c + column * s, right - row * s + column * c);
  return Uint8Array.from(eachCell(grey), (value) => Math.floor(value + 0.5));
}

// --- Words ------------------------------------------------------------------------------------------------------------------

function says({ mean }) {
  const top = Math.max(...mean);
  const share = top >= 0.995 ? "over 99 %" : `${(100 * top).toFixed(0)} %`;
  return `the network says ${mean.indexOf(top)} with ${share}`;
}

const entropies = ({ total, epistemic }) =>
  `Total entropy ${total.toFixed(2)} nats, of which mutual information ${epistemic.toFixed(2)}`;

// `usual` are mutual informations of test digits: their 1 %, 2 % … 100 % quantiles.
function inWords(epistemic, usual) {
  const share = usual.filter((value) => value < epistemic).length;
  return share === usual.length ? "all" : `${share} % of the`;
}

// --- Drawing, in units of which 16 are as high as the text ----------------------------------------------------------------

const WIDTH = 320;
const svg = (height, alt, parts) =>
  `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${alt}">${parts.join("")}</svg>`;
const rect = (x, y, width, height, look) => `<rect x="${x}" y="${y}" width="${width}" height="${height}" ${look}/>`;
const line = (x1, y1, x2, y2, look) => `<path d="M${x1} ${y1}L${x2} ${y2}" ${look}/>`;
const words = (x, y, said, look = "") => `<text x="${x}" y="${y}" ${look}>${said}</text>`;
const CENTRE = 'text-anchor="middle"', END = 'text-anchor="end"';

// Mean probability of each class; whiskers hold nine tenths of the networks.
function bars(draws, { mean }, truth = null) {
  const [left, top, bottom, step] = [50, 10, 112, 27];
  const y = (p) => bottom - p * (bottom - top);
  const answer = mean.indexOf(Math.max(...mean));
  const parts = [0, 0.5, 1].flatMap((p) => [
    line(left, y(p), WIDTH, y(p), `stroke="${PALE}"`),
    words(left - 5, y(p) + 5, p, END),
  ]);
  mean.forEach((p, c) => {
    const x = left + step * (c + 0.5);
    const wrong = truth === null ? DARK : VERMILLION;
    const colour = c === truth ? BLUE : c === answer ? wrong : PALE;
    const ofClass = draws.map((draw) => draw[c]);
    parts.push(rect(x - 10, y(p), 20, bottom - y(p), `fill="${colour}" stroke="${GREY}" stroke-width="0.5"`));
    parts.push(line(x, y(quantile(ofClass, 0.05)), x, y(quantile(ofClass, 0.95)), 'stroke="black" stroke-width="1.5"'));
    parts.push(words(x, bottom + 17, c, CENTRE));
  });
  parts.push(words(-61, 13, "probability", `${CENTRE} transform="rotate(-90)"`));
  return svg(132, "Probability of each class, with whiskers that hold nine tenths of the networks", parts);
}

// Total entropy as a bar of its two parts, from certainty to pure guessing.
function partsOfEntropy({ aleatoric, epistemic }) {
  const scale = (WIDTH - 2) / Math.log(CLASSES);
  const [a, e] = [aleatoric * scale, epistemic * scale];
  return svg(88, "Total entropy and its two parts", [
    STRIPES,
    rect(1, 8, 12, 12, `fill="${SKY}"`), words(18, 19, "aleatoric"),
    rect(101, 8, 12, 12, 'fill="url(#stripes)"'), words(118, 19, "mutual information"),
    rect(1, 28, a, 22, `fill="${SKY}"`), rect(1 + a, 28, e, 22, 'fill="url(#stripes)"'),
    rect(1, 28, WIDTH - 2, 22, `fill="none" stroke="${DARK}"`),
    words(1, 68, "0"), words(WIDTH, 68, "pure guessing", END), words(WIDTH / 2, 84, "total entropy (nats)", CENTRE),
  ]);
}

const STRIPES = `<pattern id="stripes" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
  <rect width="7" height="7" fill="${VERMILLION}"/><path d="M0 0V7" stroke="white" stroke-width="2"/></pattern>`;

// Total entropy and mutual information of a digit at all angles.
function curves(judged, place) {
  const [left, top, bottom, highest] = [50, 22, 120, 2.4];
  const x = (i) => left + (i * (WIDTH - left - 14)) / (judged.length - 1);
  const y = (nats) => bottom - (nats * (bottom - top)) / highest;
  const curve = (of, look) => `<path d="M${judged.map((j, i) => `${x(i).toFixed(1)} ${y(j[of]).toFixed(1)}`).join("L")}" ${look}/>`;
  const total = `fill="none" stroke="${BLUE}" stroke-width="2"`;
  const mutual = `fill="none" stroke="${VERMILLION}" stroke-width="2" stroke-dasharray="6 3"`;
  const ticks = [0, 90, 180, 270, 360];
  const dot = (of) => `<circle cx="${x(place)}" cy="${y(judged[place][of])}" r="4" fill="${DARK}"/>`;
  return svg(158, "Total entropy and mutual information against the angle", [
    ...[0, 1, 2].flatMap((n) => [line(left, y(n), WIDTH, y(n), `stroke="${PALE}"`), words(left - 5, y(n) + 5, n, END)]),
    ...ticks.map((degrees) => words(x(degrees / STEP), bottom + 17, degrees, CENTRE)),
    words((left + WIDTH) / 2, bottom + 34, "angle (degrees)", CENTRE),
    words(-71, 13, "entropy (nats)", `${CENTRE} transform="rotate(-90)"`),
    line(left, 10, left + 22, 10, total), words(left + 27, 15, "total"),
    line(left + 88, 10, left + 110, 10, mutual), words(left + 115, 15, "mutual information"),
    line(x(place), top, x(place), bottom, `stroke="${DARK}" stroke-width="1.2"`),
    curve("total", total), curve("epistemic", mutual), dot("total"), dot("epistemic"),
  ]);
}

function showPicture(canvas, picture) {
  const image = new ImageData(SIDE, SIDE);
  picture.forEach((grey, i) => image.data.set([255 - grey, 255 - grey, 255 - grey, 255], 4 * i));
  canvas.width = canvas.height = SIDE;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// --- The pad ----------------------------------------------------------------------------------------------------------------

const PAD = 560; // 20 points to a cell, so that lines are sharp on any screen
const INK = (15 / 196) * PAD; // width of a line
const KEYS = "By keyboard: arrow keys move the pen, space puts it down or lifts it.";
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// Draw with mouse, pen, finger or keys; `inked` gets the 28 × 28 grey values, 0 (paper) … 255.
function makePad(canvas, pen, inked) {
  canvas.width = canvas.height = PAD;
  const ink = canvas.getContext("2d", { willReadFrequently: true });
  let last = null; // where mouse, pen or finger is while it draws
  let [at, down] = [[PAD / 2, PAD / 7], false]; // where the keys would draw

  const read = () => {
    const [shown, step] = [ink.getImageData(0, 0, PAD, PAD).data, PAD / SIDE];
    const cells = new Float64Array(SIDE ** 2);
    for (let y = 0; y < PAD; y++)
      for (let x = 0; x < PAD; x++)
        cells[Math.floor(y / step) * SIDE + Math.floor(x / step)] += 255 - shown[4 * (y * PAD + x)];
    return Uint8Array.from(cells, (dark) => Math.round(dark / step ** 2));
  };
  const stroke = (from, to) => {
    Object.assign(ink, { strokeStyle: "black", lineWidth: INK, lineCap: "round" });
    ink.beginPath();
    ink.moveTo(...from);
    ink.lineTo(to[0] + 0.01, to[1]); // a line without length would leave no dot
    ink.stroke();
    inked(read());
  };
  const clear = () => {
    ink.fillStyle = "white";
    ink.fillRect(0, 0, PAD, PAD);
    [at, down, last] = [[PAD / 2, PAD / 7], false, null];
    showPen(false);
    inked(read());
  };
  const showPen = (visible) => {
    const [left, top] = at.map((value) => `${(100 * value) / PAD}%`);
    Object.assign(pen.style, { left, top, background: down ? VERMILLION : "none", display: visible ? "" : "none" });
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * PAD) / box.width, ((event.clientY - box.top) * PAD) / box.height];
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary) return; // a second finger
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(last, last);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last || !event.isPrimary) return;
    const now = place(event);
    stroke(last, now);
    last = now;
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => (last = null));
  canvas.addEventListener("keydown", (event) => {
    const step = MOVES[event.key];
    if (!step && event.key !== " ") return;
    event.preventDefault(); // the page would scroll
    const next = at.map((value, axis) => Math.min(PAD, Math.max(0, value + (step ? step[axis] * (PAD / SIDE) : 0))));
    down = step ? down : !down;
    if (down) stroke(at, next);
    at = next;
    showPen(true);
  });
  canvas.addEventListener("focus", () => showPen(canvas.matches(":focus-visible")));
  canvas.addEventListener("blur", () => showPen((down = false)));
  return clear;
}

// --- The elements -----------------------------------------------------------------------------------------------------------

const STYLE = `
  :host { display: block; background: white; color: #1b1b1b; font-family: "Source Sans 3", system-ui, sans-serif; }
  .row { display: flex; flex-wrap: wrap; gap: 0.8em 1.2em; align-items: flex-start; }
  p { margin: 0 0 0.6em; line-height: 1.3; min-height: 2.6em; }
  .charts { flex: 1 1 20em; min-width: 0; gap: 0.4em 1.2em; }
  svg { display: block; width: 20em; max-width: 100%; overflow: visible; }
  svg text { fill: #1b1b1b; font-size: 15px; }
  canvas { display: block; border: 1px solid ${DARK}; box-sizing: border-box; image-rendering: pixelated; }
  .seen { width: 8em; height: 8em; }
  label + .seen { width: 10em; height: 10em; }
  .pad { position: relative; }
  .pad canvas { width: 12.25em; height: 12.25em; touch-action: none; cursor: crosshair; image-rendering: auto; }
  .pad canvas:focus-visible, :is(button, input, select):focus-visible { outline: 3px solid ${BLUE}; outline-offset: 2px; }
  .pen { position: absolute; width: 0.94em; height: 0.94em; transform: translate(-50%, -50%); pointer-events: none;
    border: 1px solid ${VERMILLION}; border-radius: 50%; box-sizing: border-box; }
  .hint { width: 9em; line-height: 1.25; font-size: 0.9em; margin-top: 0.3em; }
  button, select { font: inherit; padding: 0.1em 0.6em; }
  button { margin-top: 0.3em; }
  label { display: block; margin-bottom: 0.5em; }
  input { width: 12em; max-width: 100%; margin: 0.3em 0 0; display: block; }
  slot { display: none; }
  @media print { .live { display: none; } slot { display: contents; } }
`;

const TURNING = `
  <p aria-live="polite"></p>
  <div class="row">
    <div>
      <label>digit <select></select></label>
      <label>angle <output></output><input type="range" min="0" max="360" step="${STEP}" aria-label="angle (degrees)"></label>
      <canvas class="seen" role="img" aria-label="The turned digit"></canvas>
      <button>Reset</button>
    </div>
    <div class="charts row"><div></div><div></div></div>
  </div>`;

const DRAWING = `
  <p aria-live="polite"></p>
  <div class="row">
    <div>
      <div>draw here</div>
      <div class="pad">
        <canvas tabindex="0" role="application" aria-label="draw here" aria-description="${KEYS}"></canvas>
        <div class="pen"></div>
      </div>
    </div>
    <div>
      <div>the network sees</div>
      <canvas class="seen" role="img" aria-label="The drawing as the network sees it"></canvas>
      <div class="hint">${KEYS}</div>
      <button>Clear</button>
    </div>
    <div class="charts row"><div></div><div></div></div>
  </div>`;

function startTurning(root, networks, data) {
  const [choice, slider, output, canvas, reset, said] = ["select", "input", "output", "canvas", "button", "p"].map(
    (part) => root.querySelector(part),
  );
  const [above, below] = root.querySelectorAll(".charts > div");
  const digits = Object.keys(data.digits);
  choice.innerHTML = digits.map((digit) => `<option>${digit}</option>`).join("");
  const places = Array.from({ length: 360 / STEP + 1 }, (_, place) => place);
  const known = {}; // what is said of a digit at an angle
  const at = (digit, place) => (known[`${digit} ${place}`] ??= ask(digit, place));
  const ask = (digit, place) => {
    const picture = turned(bytesOf(data.digits[digit]), STEP * place);
    const draws = probabilities(networks, picture);
    return { picture, draws, judged: judge(draws) };
  };
  const showCurves = (digit, place) => {
    below.innerHTML = curves(places.map((other) => at(digit, other).judged), place);
  };
  const show = () => {
    const digit = choice.value;
    const place = Number(slider.value) / STEP;
    const { picture, draws, judged } = at(digit, place);
    output.textContent = `${slider.value}°`;
    slider.setAttribute("aria-valuetext", `${slider.value} degrees`);
    showPicture(canvas, picture);
    above.innerHTML = bars(draws, judged, Number(digit));
    said.textContent = `A ${digit} turned by ${slider.value}°: ${says(judged)}. ${entropies(judged)}.`;
    if (places.every((other) => `${digit} ${other}` in known)) showCurves(digit, place);
    else setTimeout(() => choice.value === digit && showCurves(digit, Number(slider.value) / STEP)); // picture first
  };
  const restart = () => {
    [choice.value, slider.value] = [data.start.digit, data.start.angle];
    show();
  };
  choice.addEventListener("change", show);
  slider.addEventListener("input", show);
  reset.addEventListener("click", restart);
  restart();
}

function startDrawing(root, networks, data) {
  const [pad, seen] = root.querySelectorAll("canvas");
  const [above, below] = root.querySelectorAll(".charts > div");
  const example = bytesOf(data.example);
  const show = (ink) => {
    const blank = !ink.some((grey) => grey > 0);
    const picture = asMnist(blank ? example : ink);
    const draws = probabilities(networks, picture);
    const judged = judge(draws);
    showPicture(seen, picture);
    above.innerHTML = bars(draws, judged);
    below.innerHTML = partsOfEntropy(judged);
    const what = blank ? `The pad is blank; for example the letter ${data.letter}:` : "Your drawing:";
    const than = inWords(judged.epistemic, data.usual);
    root.querySelector("p").textContent = `${what} ${says(judged)}. ${entropies(judged)}, more than for ${than} test digits.`;
  };
  const clear = makePad(pad, root.querySelector(".pen"), show);
  root.querySelector("button").addEventListener("click", clear);
  clear();
}

const KINDS = {
  turning: { name: "turn a digit", content: TURNING, start: startTurning },
  drawing: { name: "draw a digit", content: DRAWING, start: startDrawing },
};
let shared = null; // the networks, drawn once in a page

export function define(data) {
  if (customElements.get("bnn-digits")) return; // a page may hold the script twice
  class Digits extends HTMLElement {
    async connectedCallback() {
      if (this.shadowRoot) return; // moved within the page
      const { name, content, start } = KINDS[this.getAttribute("kind")];
      const root = this.attachShadow({ mode: "open" });
      root.innerHTML = `<style>${STYLE}</style><div class="live" role="group" aria-label="Explorer: ${name}">${content}</div><slot></slot>`;
      // Slides turn at keys and swipes, JupyterLab moves to another cell: not while they move a control here.
      this.dataset.lmSuppressShortcuts = "";
      for (const kind of ["keydown", "touchstart", "touchmove", "touchend", "pointerdown", "wheel"])
        root.addEventListener(kind, (event) => event.stopPropagation());
      start(root, await (shared ??= drawNetworks(data)), data);
      this.dataset.ready = "";
    }
  }
  customElements.define("bnn-digits", Digits);
}
