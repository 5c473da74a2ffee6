// What happens: an epoch is shown, and the reader moves on.
let asked = 0;
let atFirst = null; // what is shown where the address says nothing

// Show the epoch of the state, with what was chosen; a later call overtakes an earlier one that still waits for its chunk.
async function show() {
  const turn = (asked += 1), row = rowOf(state.epoch), began = performance.now();
  let found = null;
  try {
    if (row >= 0) found = await readEpoch(row);
  } catch (error) {
    tellProblem(`Epoch ${state.epoch} cannot be read: ${error.message}. The page may have been cut off; save it again.`);
  }
  if (turn !== asked) return;
  shown = found;
  const title = titleOf(state.epoch), slider = $("ex-slider");
  slider.setAttribute("aria-valuenow", state.epoch);
  slider.setAttribute("aria-valuetext", title);
  $("ex-title").textContent = title;
  for (const panel of section.querySelectorAll("[data-explained]")) panel.hidden = !shown;
  $("ex-grid").classList.toggle("ex-bare", !shown);
  $("ex-nearest").hidden = Boolean(shown) || !night.rows.length;
  // a picture without a width, as in print or in a part of the page that is closed, is drawn when it has one
  const pictures = slider.clientWidth ? [drawNight, drawChancesOfEpoch, ...(shown ? [drawSignals, drawPlane, drawContext, drawSpectrum] : [])] : [];
  for (const draw of [...pictures, ...(shown ? [drawBands, tellTrust] : [])]) draw();
  $("ex-sentence").textContent = sentence();
  fillTables();
  section.dataset.shown = `${state.epoch} ${state.pick} ${state.stage} ${state.over}`;
  section.dataset.ms = (performance.now() - began).toFixed(1);
  if (shown) openAhead(row);
}

function go(epoch) {
  state.epoch = Math.max(0, Math.min(night.row.length - 1, epoch));
  keepFragment();
  return show();
}

const KEYS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageDown: 20, PageUp: -20, Home: -Infinity, End: Infinity };

function listen() {
  const slider = $("ex-slider"), place = (event) => epochAt(slider.clientWidth, event.clientX - slider.getBoundingClientRect().left);
  slider.addEventListener("keydown", (event) => {
    if (!(event.key in KEYS) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(state.epoch + KEYS[event.key]);
  });
  slider.addEventListener("pointerdown", (event) => { if (event.button === 0) go(place(event)); });
  slider.addEventListener("pointermove", (event) => { if (event.buttons === 1) go(place(event)); });
  $("ex-previous").addEventListener("click", () => go(state.epoch - 1));
  $("ex-next").addEventListener("click", () => go(state.epoch + 1));
  $("ex-nearest").addEventListener("click", () => { go(nearestExplained()); slider.focus(); });
  for (const button of section.querySelectorAll("[data-next]")) {
    const name = button.dataset.next;
    button.hidden = !flagsShown().some(([one]) => one === name);
    button.disabled = nextOf(name) < 0;
    button.addEventListener("click", () => go(nextOf(name)));
  }
  for (const [id, key, read] of [["ex-channel", "pick", String], ["ex-stage", "stage", Number], ["ex-over", "over", Number]]) {
    $(id)?.addEventListener("change", (event) => {
      state[key] = read(event.target.value);
      keepFragment();
      show();
    });
  }
  $("ex-add")?.addEventListener("click", addBand);
  $("ex-reset")?.addEventListener("click", () => changeBands(meta.bands.map((one) => [...one])));
  for (const details of section.querySelectorAll(".ex-table")) details.addEventListener("toggle", () => fill(details));
  window.addEventListener("hashchange", () => {
    if (location.hash === "") Object.assign(state, atFirst); // back to where the page was opened
    else if (location.hash === asFragment() || !takeFragment(location.hash)) return;
    showChoices();
    show();
    section.scrollIntoView(); // a link elsewhere on the page names an epoch
  });
  // a picture is as wide as its page, and has its colours
  new ResizeObserver(redraw).observe(slider);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

let width = 0;
function redraw(event) {
  if (event.type !== "change" && $("ex-slider").clientWidth === width) return;
  width = $("ex-slider").clientWidth;
  readColours();
  show();
}

function showChoices() {
  const fill = (id, options, value) => {
    if (!$(id)) return;
    $(id).replaceChildren(...options.map(([key, name]) => el("option", { value: key }, name)));
    $(id).value = value;
  };
  const stages = meta.stages.map((name, k) => [String(k), name]);
  fill("ex-channel", choices(), state.pick);
  fill("ex-stage", [["-1", "the predicted stage"], ...stages], String(state.stage));
  fill("ex-over", [["-1", "none"], ...stages], String(state.over));
}

function tellProblem(words) {
  const problem = $("ex-problem");
  problem.textContent = words;
  problem.hidden = false;
}

async function begin() {
  if (typeof DecompressionStream === "undefined") {
    $("ex-body").hidden = true;
    tellProblem("This browser cannot unpack the data of the explorer (it has no DecompressionStream). Open the page in Firefox 113, Chrome 80 or Safari 16.4, or a later one. Everything else on this page can be read.");
    return;
  }
  try {
    night = await readNight();
    // the epoch that the stager is least sure of is the one to look at first; a saturated one would look like much and be little
    const aheadOf = (row) => night.ahead[row.number] ?? 2;
    if (night.rows.length) state.epoch = night.rows.reduce((least, row) => (aheadOf(row) < aheadOf(least) ? row : least)).number;
    if (N_SETS === 1 && N_CHANNELS > 1) state.pick = "set 0";
    atFirst = { epoch: state.epoch, pick: state.pick, stage: state.stage, over: state.over };
    takeFragment(location.hash);
    readColours();
    width = $("ex-slider").clientWidth;
    tellNight();
    showChoices();
    showEdges();
    listen();
    await show();
    requestAnimationFrame(() => performance.mark("ex-first"));
  } catch (error) {
    tellProblem(`The data of the explorer cannot be read: ${error.message}. The page may have been cut off; save it again.`);
    throw error;
  }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
