// What the reader has chosen, and the address that keeps it.
let night = null; // what is known of every epoch
let shown = null; // the explained epoch that is shown; null where it was not explained
const state = { epoch: 0, pick: "0", stage: -1, over: -1, bands: meta.bands.map((one) => [...one]) };

const rowOf = (epoch) => night.row[epoch];
const usualBands = () => JSON.stringify(state.bands) === JSON.stringify(meta.bands);

// The channels that are chosen: one, or all of a channel set. Those of different sets are explained by themselves.
function picked() {
  if (state.pick.startsWith("set ")) {
    const set = Number(state.pick.slice(4));
    const channels = meta.of.flatMap((own, channel) => (own === set ? [channel] : []));
    return { channels, set, name: N_SETS > 1 ? `all channels of ${meta.sets[set]}` : "all channels" };
  }
  const channel = Number(state.pick);
  return { channels: [channel], set: meta.of[channel], name: meta.channels[channel] };
}

function choices() {
  const found = meta.channels.map((name, channel) => [String(channel), name]);
  meta.sets.forEach((name, set) => {
    if (meta.of.filter((own) => own === set).length > 1) found.push([`set ${set}`, N_SETS > 1 ? `all of ${name}` : "all channels together"]);
  });
  return found;
}

// The stage that is explained: the chosen one, or that which these channels gave.
function explainedStage() {
  return state.stage >= 0 ? state.stage : night.rows[shown.row].sets[picked().set].predicted;
}

// The targets to add up, each with its weight: of a result of all stages, one stage, or one less another.
function weights() {
  if (!meta.all) return [[0, 1]];
  const own = explainedStage();
  return state.over >= 0 && state.over !== own ? [[own, 1], [state.over, -1]] : [[own, 1]];
}

// What is explained, in words, such as "N2" or "N2 over N1".
function target() {
  if (!meta.all) return night.rows[shown.row].sets[picked().set].target;
  return weights().map(([stage]) => meta.stages[stage]).join(" over ");
}

// The address: names rather than places, so that it serves for another page of the same night too.
function asFragment() {
  const said = new URLSearchParams({ epoch: state.epoch, channel: Object.fromEntries(choices())[state.pick] });
  if (state.stage >= 0) said.set("stage", meta.stages[state.stage]);
  if (state.over >= 0) said.set("over", meta.stages[state.over]);
  return `#${said}`;
}

// Take what an address says, as far as it says something of this night; an address of another part of the page says nothing.
function takeFragment(text) {
  const said = new URLSearchParams(text.slice(1)), epoch = Number(said.get("epoch"));
  if (!said.has("epoch") || !Number.isInteger(epoch) || epoch < 0 || epoch >= night.row.length) return false;
  state.epoch = epoch;
  const channel = choices().find(([, name]) => name === said.get("channel"));
  if (channel) state.pick = channel[0];
  state.stage = meta.stages.indexOf(said.get("stage"));
  state.over = meta.stages.indexOf(said.get("over"));
  return true;
}

let waiting = 0;
// Each place where the reader stays becomes a step that "back" returns to.
function keepFragment() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    if (location.hash !== asFragment()) location.hash = asFragment();
  }, 250);
}
