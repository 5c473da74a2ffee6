// What all pictures share: sizes, colours from the page's variables, marks that are told apart without colour.
const $ = (id) => document.getElementById(id);
const section = $("explorer");
let colours = null;

// Colours as they are now; the scheme of the page may change.
function readColours() {
  const style = getComputedStyle(section), read = (name) => style.getPropertyValue(`--${name}`).trim();
  colours = Object.fromEntries(["paper", "ink", "soft", "line", "raised", "lowered"].map((name) => [name, read(name)]));
  colours.stages = meta.stages.map((_, k) => read(`stage-${k}`));
}

// A canvas of the width that it has on the page, in the pixels of the screen.
function canvas(id, height) {
  const own = $(id), density = window.devicePixelRatio || 1, width = own.parentElement.clientWidth;
  own.style.height = `${height}px`;
  if (own.width !== Math.round(width * density) || own.height !== Math.round(height * density)) {
    own.width = Math.round(width * density);
    own.height = Math.round(height * density);
  }
  const pen = own.getContext("2d");
  pen.setTransform(density, 0, 0, density, 0, 0);
  pen.globalAlpha = 1;
  pen.fillStyle = colours.paper;
  pen.fillRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  pen.lineWidth = 1;
  pen.setLineDash([]);
  return { pen, width, height };
}

// Text in a given width; what is longer is cut.
function write(pen, text, x, y, width, align = "left") {
  let cut = text;
  while (cut.length > 1 && pen.measureText(cut).width > width) cut = cut.length > 2 ? `${cut.slice(0, -2)}…` : cut.slice(0, 1);
  pen.textAlign = align;
  pen.fillText(cut, x, y);
}

// A signed cell: the colour says how much; a ring says that it lowered the score.
function cell(pen, share, x, y, width, height) {
  pen.globalAlpha = Math.min(1, Math.abs(share) ** 0.7);
  pen.fillStyle = share >= 0 ? colours.raised : colours.lowered;
  pen.fillRect(x, y, width + 0.4, height + 0.4);
  pen.globalAlpha = 1;
  if (share < -0.12) {
    pen.strokeStyle = colours.paper;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.arc(x + width / 2, y + height / 2, Math.max(1.5, Math.min(width, height) / 4), 0, 2 * Math.PI);
    pen.stroke();
  }
}

// A bar from a line up or down: filled where it raised the score, hollow where it lowered it.
function bar(pen, value, x, zero, width) {
  pen.fillStyle = pen.strokeStyle = value >= 0 ? colours.raised : colours.lowered;
  if (value >= 0) pen.fillRect(x, zero - value, width, value);
  else if (width > 3 && value < -2) {
    pen.lineWidth = 1.5;
    pen.strokeRect(x + 0.75, zero, width - 1.5, -value);
  } else pen.fillRect(x, zero, width, -value);
}

function line(pen, x1, y1, x2, y2, colour = colours.line) {
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}

function curve(pen, points) {
  pen.beginPath();
  points.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.stroke();
}

// Black or white, whichever can be read on a colour.
function onColour(colour) {
  const parts = [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16) / 255);
  const [r, g, b] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000" : "#fff";
}

const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value) || 0), 0);

// Seconds as a clock has them: the time of day where it is known, else from the start of the recording.
function clock(seconds, short = false) {
  const all = Math.round(seconds + (meta.begins ?? 0)), two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(all / 3600) % (meta.begins === null ? Infinity : 24);
  return `${hours}:${two(Math.floor(all / 60) % 60)}${short ? "" : `:${two(all % 60)}`}`;
}

// A number with its sign and as many decimals as the largest of its kind needs for three digits, as in tables.
function signed(value, most = value) {
  if (!Number.isFinite(value)) return "–";
  const text = plain(Math.abs(value), most);
  return (Number(text) === 0 ? "" : value < 0 ? "−" : "+") + text;
}

function plain(value, most = value) {
  const size = Math.abs(most);
  return value.toFixed(size === 0 ? 2 : Math.min(Math.max(2, 2 - Math.floor(Math.log10(size))), 8));
}

// An error, to two digits.
const errorText = (error) => (error === 0 ? "0" : plain(error, error * 10));

// A sum, to three digits of its own, but not finer than its error is told.
function sumText(row) {
  const own = Math.abs(row.sum), most = Number.isFinite(row.error) ? Math.max(own, row.error * 10) : own;
  const text = signed(row.sum, most);
  return Number(text.replace("−", "-")) === 0 ? "0.00" : text;
}

const percent = (share) => (share === null || !Number.isFinite(share) ? "–" : `${share >= 0.1 || share === 0 ? Math.round(100 * share) : Number((100 * share).toPrecision(2))} %`);

// An element with text: whatever comes from a file is text, and never markup.
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
