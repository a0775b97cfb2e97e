// An explorer in a page that has no kernel: pictures drawn beforehand, one for each place of its main control.
//
// `tools/frames.py` draws and packs them: <bnn-frames packed="…">what is shown on paper</bnn-frames>. Neighbouring
// pictures share nearly all of their pieces, so each is a list of pieces. The script asks no server for anything.

async function unpack(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

// A picture is as wide as in JupyterLab. On a telephone it moves sideways in its box: its words stay legible.
const STYLE = `
  :host { display: block; color-scheme: light; background: white; color: #1b1b1b; font-family: "Source Sans 3", system-ui, sans-serif; }
  label { display: inline-block; margin: 0 1em 0.5em 0; }
  input { display: block; width: 18em; max-width: 100%; margin: 0.3em 0 0; }
  button, select { font: inherit; padding: 0.1em 0.6em; }
  :is(button, input, select, .box):focus-visible { outline: 3px solid #0072B2; outline-offset: 2px; }
  p { margin: 0 0 0.4em; line-height: 1.3; min-height: 2.6em; }
  .box { overflow-x: auto; }
  img { display: block; width: clamp(34em, 100%, 37.5em); }
  small { display: block; line-height: 1.3; }
  slot { display: none; }
  @media print { .live { display: none; } slot { display: contents; } }
`;

const CONTENT = `
  <label><span></span> <output></output></label><button>Reset</button>
  <p aria-live="polite"></p>
  <div class="box"><img></div>
  <small></small>`;

// Places in a list are chosen, those on a scale are slid to; the value of either is the number of the picture.
function makeControl({ name, values, isList }) {
  const control = document.createElement(isList ? "select" : "input");
  if (isList) control.append(...values.map((value, place) => new Option(value, place)));
  else Object.assign(control, { type: "range", min: 0, max: values.length - 1 });
  control.setAttribute("aria-label", name);
  return control;
}

function start(root, explorer) {
  const [label, output, said, box, picture, rest, reset] = ["label", "output", "p", ".box", "img", "small", "button"].map(
    (part) => root.querySelector(part),
  );
  const { name, label: written, values, isList, begin, lines, pieces, pictures } = explorer;
  const control = makeControl(explorer);
  const addresses = [];
  const address = (place) => {
    const svg = pictures[place].map((piece) => pieces[piece]).join("");
    return (addresses[place] ??= URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" })));
  };
  const show = () => {
    const place = Number(control.value);
    picture.src = address(place);
    said.textContent = lines[place];
    if (isList) return;
    output.textContent = values[place];
    control.setAttribute("aria-valuetext", values[place]);
  };
  const restart = () => {
    control.value = begin;
    show();
  };
  root.querySelector(".live").setAttribute("aria-label", `Explorer: ${name}`);
  label.firstChild.innerHTML = written;
  label.append(control);
  picture.alt = explorer.alt;
  rest.innerHTML = explorer.resting;
  control.addEventListener("input", show);
  reset.addEventListener("click", restart);
  new ResizeObserver(() => (box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1)).observe(box); // for keys
  restart();
}

// A page may hold the script many times.
if (!customElements.get("bnn-frames")) {
  class Frames extends HTMLElement {
    async connectedCallback() {
      const explorer = await unpack(this.getAttribute("packed"));
      if (this.shadowRoot) return; // moved within the page
      const root = this.attachShadow({ mode: "open" });
      root.innerHTML = `<style>${STYLE}</style><div class="live" role="group">${CONTENT}</div><slot></slot>`;
      // Slides turn at keys and swipes, JupyterLab moves to another cell: not while they move a control here.
      this.dataset.lmSuppressShortcuts = "";
      for (const kind of ["keydown", "touchstart", "touchmove", "touchend", "pointerdown", "wheel"])
        root.addEventListener(kind, (event) => event.stopPropagation());
      start(root, explorer);
      this.dataset.ready = "";
    }
  }
  customElements.define("bnn-frames", Frames);
}
