// Reads a text in the page as the network and the bag of words do: encode, run, show.

// --- The models, from sentiment/report/reader.py ---
const { encoder, words: vocabulary, units, ...weights } = JSON.parse(
  document.getElementById("models").textContent,
);
const [inputs, recurrent, output, bag] = ["inputs", "recurrent", "output", "bag"].map(
  name => new Float32Array(Uint8Array.from(atob(weights[name]), c => c.charCodeAt(0)).buffer),
);
const [START, OOV, INDEX_FROM] = [1, 2, 3]; // as in sentiment/text.py
const kept = id => (id >= encoder.skip_top && id < encoder.num_words ? id : OOV);
const tokens = new Map(
  vocabulary.split(" ").map((word, i) => [word, kept(i + 1 + INDEX_FROM)]),
);
const sigmoid = x => 1 / (1 + Math.exp(-x));

// Words are what the separators leave. Only ASCII letters change their case.
const WORD = /[^!"#$%&()*+,\-./:;<=>?@[\\\]^_`{|}~\t\n ]+/g;
const lower = word => word.replace(/[A-Z]+/g, capitals => capitals.toLowerCase());

// Returns the row of token ids of a text: START and its words at `first`, `first` + 1, ...
// `words` are all words of the text; those that are read have a `step`, counted from START.
function encode(text) {
  const words = Array.from(text.matchAll(WORD), found => ({
    text: found[0],
    start: found.index,
    end: found.index + found[0].length,
    token: tokens.get(lower(found[0])), // undefined: not in the word index, so not read
  }));
  const known = words.filter(word => word.token !== undefined);
  const sequence = [kept(START), ...known.map(word => word.token)];
  const count = Math.min(sequence.length, encoder.maxlen);
  const cut = encoder.truncating === "pre" ? sequence.length - count : 0;
  const first = encoder.padding === "pre" ? encoder.maxlen - count : 0;
  const row = new Int32Array(encoder.maxlen);
  row.set(sequence.slice(cut, cut + count), first);
  known.forEach((word, i) => {
    const step = i + 1 - cut;
    if (step >= 0 && step < count) word.step = step;
  });
  return { words, row, first, count };
}

// The network: h = tanh(E W + b + U h) at each step, padding included.
// After each, the probability of positive is sigmoid(v h + c).
function run(row) {
  const states = new Float32Array((row.length + 1) * units); // the first one is zeros
  const probabilities = new Float32Array(row.length);
  for (let step = 0; step < row.length; step++) {
    const [before, after] = [step * units, (step + 1) * units];
    let logOdds = weights.output_bias;
    for (let unit = 0; unit < units; unit++) {
      let sum = inputs[row[step] * units + unit];
      for (let i = 0; i < units; i++) sum += states[before + i] * recurrent[i * units + unit];
      states[after + unit] = Math.tanh(sum);
      logOdds += states[after + unit] * output[unit];
    }
    probabilities[step] = sigmoid(logOdds);
  }
  return { states: states.subarray(units), probabilities };
}

// The bag of words: one weight for each word, added up in any order.
function weigh(row) {
  let sum = 0;
  for (const token of row) if (token > OOV) sum += bag[token];
  return { sum, probability: sigmoid(sum + weights.bag_bias) };
}

function read(text) {
  const encoded = encode(text);
  const network = run(encoded.row);
  const answer = network.probabilities[encoder.maxlen - 1];
  return { text, ...encoded, ...network, answer, weighed: weigh(encoded.row) };
}

// --- What is shown ---
const section = document.getElementById("reader");
const [box, slider, line, map, mark, cursor, labels, spans, chips, step, sum, cutNote] = [
  "textarea", "[type=range]", "polyline", "canvas", ".mark", ".cursor", ".labels", ".words",
  ".chips", ".step", ".sum", ".cut",
].map(selector => section.querySelector(selector));
const [networkAnswer, bagAnswer] = section.querySelectorAll(".probability");
const LABELLED = 24; // steps that have room for their words below the heat map
const SHADES = 9; // from negative to positive
const BAG_SCALE = 4; // one word adds little to the log-odds: it is scaled to use all shades
const order = Array.from(output.keys()).sort((a, b) => output[b] - output[a]); // top row first
const colour = name =>
  getComputedStyle(section).getPropertyValue(name).match(/\w\w/g).map(part => parseInt(part, 16));
const [positive, negative] = [colour("--positive"), colour("--negative")];
let shown; // the reading on the screen

const shade = probability => `b${Math.min(Math.floor(probability * SHADES), SHADES - 1)}`;
const number = (value, digits = 2) => value.toFixed(digits).replace(/^-/, "−");
const signed = value => (value > 0 ? "+" : "") + number(value);
const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
const stateAt = step => shown.states.subarray((shown.first + step) * units).subarray(0, units);
const probabilityAt = step => shown.probabilities[shown.first + step];

// The page changes only where the reading does, so that typing stays quick.
function put(node, property, value) {
  if (node[property] !== value) node[property] = value;
}

// Gives a container a child for each item, and those that it has already their new content.
function fill(container, items, make, update) {
  while (container.childElementCount > items.length) container.lastElementChild.remove();
  while (container.childElementCount < items.length) container.append(make());
  let child = container.firstElementChild;
  for (const item of items) {
    update(child, item);
    child = child.nextElementSibling;
  }
}

// Shows a text, and of it the step `at`, or else that of the last word before the caret.
function showText(text, { caret = text.length, at = -1 } = {}) {
  shown = read(text);
  const last = shown.words.findLast(word => word.step !== undefined && word.start < caret);
  showAnswers();
  showWords();
  showBag();
  showPlots();
  slider.max = shown.count - 1;
  section.style.setProperty("--steps", shown.count);
  showStep(at < 0 ? (last?.step ?? 0) : at);
  scrollToWord();
}

function showAnswers() {
  for (const [node, probability] of [
    [networkAnswer, shown.answer],
    [bagAnswer, shown.weighed.probability],
  ]) {
    const [label, value] = node.children;
    put(label, "textContent", probability >= 0.5 ? "positive" : "negative");
    put(value, "textContent", number(probability));
    put(node, "className", `probability ${shade(probability)}`);
  }
}

// A word of the text in its colour, and behind it what separates it from the next.
function makeWord() {
  const word = document.createElement("span");
  word.append(document.createElement("b"), "");
  return word;
}

function showWords() {
  const { words, text } = shown;
  const from = words.findIndex(word => word.step !== undefined);
  const to = words.findLastIndex(word => word.step !== undefined) + 1;
  const cut = words.filter(word => word.token !== undefined && word.step === undefined).length;
  const visible = cut ? words.slice(from, to) : words;
  put(cutNote, "hidden", !cut);
  const end = encoder.truncating === "pre" ? "beginning" : "end";
  put(cutNote, "textContent", `${plural(cut, "word")} at the ${end} cut off: neither model reads them.`);
  const starts = [...visible.slice(1).map(word => word.start), cut ? undefined : text.length];
  fill(spans, visible.map((word, i) => [word, starts[i]]), makeWord, (node, [word, next]) => {
    const mark = word.step === undefined ? "skipped" : word.token === OOV ? "unknown" : "";
    const look = word.step === undefined ? mark : `${shade(probabilityAt(word.step))} ${mark}`;
    put(node.firstChild, "textContent", word.text);
    put(node.firstChild, "className", look);
    put(node.lastChild, "data", text.slice(word.end, next ?? word.end));
    word.node = node.firstChild;
    node.word = word;
  });
}

function makeChip() {
  const chip = document.createElement("li");
  chip.append(document.createElement("b"), document.createElement("small"));
  return chip;
}

// The words of the bag and what they add, the largest first.
function showBag() {
  const counts = new Map();
  for (const word of shown.words) {
    if (word.step === undefined || word.token === OOV) continue;
    const entry = counts.get(word.token) ?? { token: word.token, text: lower(word.text), count: 0 };
    entry.count++;
    counts.set(word.token, entry);
  }
  const entries = [...counts.values()].sort(
    (a, b) => Math.abs(b.count * bag[b.token]) - Math.abs(a.count * bag[a.token]),
  );
  fill(chips, entries, makeChip, (node, { token, text, count }) => {
    put(node.firstChild, "textContent", count > 1 ? `${text} ×${count}` : text);
    put(node.firstChild, "className", shade(sigmoid(BAG_SCALE * count * bag[token])));
    put(node.lastChild, "textContent", signed(count * bag[token]));
  });
  const { sum: added, probability } = shown.weighed;
  put(
    sum,
    "textContent",
    `Sum of the weights ${signed(added)}, and ${signed(weights.bag_bias)} for every review: ` +
      `log-odds ${signed(added + weights.bag_bias)}, probability ${number(probability)}.`,
  );
}

// The line of the probability, and below it a column of pixels for each state.
function showPlots() {
  const { count } = shown;
  const points = [];
  map.width = count; // this clears it
  map.height = units;
  const image = new ImageData(count, units);
  for (let step = 0; step < count; step++) {
    points.push(`${step + 0.5},${(100 * (1 - probabilityAt(step))).toFixed(2)}`);
    const state = stateAt(step);
    order.forEach((unit, row) => {
      const ground = state[unit] > 0 ? positive : negative;
      const pixel = 4 * (row * count + step);
      for (let i = 0; i < 3; i++) {
        image.data[pixel + i] = 255 + Math.abs(state[unit]) * (ground[i] - 255);
      }
      image.data[pixel + 3] = 255;
    });
  }
  map.getContext("2d").putImageData(image, 0, 0);
  line.parentNode.setAttribute("viewBox", `0 0 ${count} 100`);
  line.setAttribute("points", points.join(" "));
  const read = shown.words.filter(word => word.step !== undefined).map(word => word.text);
  const names = [...(shown.count > read.length ? ["(start)"] : []), ...read];
  put(labels, "hidden", count > LABELLED);
  fill(labels, count > LABELLED ? [] : names, () => document.createElement("span"), (node, name) =>
    put(node, "textContent", name),
  );
}

function showStep(at) {
  const word = shown.words.find(word => word.step === at);
  const change = at ? changeAt(at) : undefined;
  slider.value = at;
  slider.ariaValueText = `${word ? word.text : "start"}, ${number(probabilityAt(at))}`;
  cursor.style.left = `${(100 * (at + 0.5)) / shown.count}%`;
  showMark(at, change);
  section.querySelectorAll(".at").forEach(node => node.classList.remove("at"));
  word?.node.classList.add("at");
  labels.children[at]?.classList.add("at");
  put(step, "textContent", word ? describe(word, change) : describeStart());
}

// Scrolls the text, if it is long, to the word that is looked at.
function scrollToWord() {
  const word = spans.querySelector(".at");
  const { scrollTop, clientHeight } = spans;
  if (word && (word.offsetTop < scrollTop || word.offsetTop > scrollTop + 0.8 * clientHeight)) {
    spans.scrollTop = word.offsetTop - clientHeight / 2;
  }
}

// Frames the unit that changes most.
function showMark(at, change) {
  mark.hidden = !change;
  if (!change) return;
  mark.style.left = `${(100 * (at + 0.5)) / shown.count}%`;
  mark.style.width = `${100 / shown.count}%`;
  mark.style.top = `${(100 * change.row) / units}%`;
  mark.style.height = `${100 / units}%`;
}

// How a step changes the state: the number of signs, and the row that changes most.
function changeAt(at) {
  const [before, after] = [stateAt(at - 1), stateAt(at)];
  const moves = order.map(unit => Math.abs(after[unit] - before[unit]));
  const row = moves.indexOf(Math.max(...moves));
  const signs = order.filter(unit => after[unit] > 0 !== before[unit] > 0).length;
  return { signs, row, from: before[order[row]], to: after[order[row]] };
}

const describeStart = () =>
  (shown.words.length ? "" : "There is no word to read yet. ") +
  `Before the first word the probability of positive is ${number(probabilityAt(0))}.`;

// What reading a word does to the state and to the answers, in sentences.
function describe(word, change) {
  const named = `“${word.text}”` + (word.token === OOV ? " (to the network, the unknown word)" : "");
  const now = number(probabilityAt(word.step));
  if (!change) return `${named} is the first word that is read. The probability is ${now}.`;
  return [
    `Reading ${named} changes the sign of ${change.signs} of the ${units} hidden units.`,
    `The largest change is in row ${change.row + 1} of the heat map, ` +
      `from ${signed(change.from)} to ${signed(change.to)}.`,
    `The probability of positive goes from ${number(probabilityAt(word.step - 1))} to ${now}.`,
    describeWithout(word),
  ].join(" ");
}

// What the answers would be if the text had not this word.
function describeWithout({ start, end }) {
  const without = read(shown.text.slice(0, start) + shown.text.slice(end));
  const change = Math.abs(without.answer - shown.answer);
  const network =
    change < 0.0005
      ? "change by less than 0.001"
      : `be ${number(without.answer, 3)} instead of ${number(shown.answer, 3)}`;
  return (
    `Without this word, the network’s final probability would ${network}; that of the bag of ` +
    `words would be ${number(without.weighed.probability, 3)} instead of ` +
    `${number(shown.weighed.probability, 3)}.`
  );
}

// --- What a person does ---
box.oninput = () => showText(box.value, { caret: box.selectionEnd });
slider.oninput = () => {
  showStep(Number(slider.value));
  scrollToWord();
};
spans.onpointerover = spans.onclick = ({ target }) => {
  const at = target.parentNode.word?.step;
  if (at !== undefined) showStep(at);
};
map.parentNode.onclick = ({ clientX }) => {
  const { left, width } = map.getBoundingClientRect();
  const at = Math.floor(((clientX - left) / width) * shown.count);
  showStep(Math.max(0, Math.min(at, shown.count - 1)));
};
for (const button of section.querySelectorAll("[data-text]")) {
  button.onclick = () => {
    box.value = button.dataset.text;
    showText(box.value, { at: Number(button.dataset.step) });
  };
}
section.querySelector("[hidden].live").hidden = false;
section.querySelector("[data-text]")?.click();
if (!shown) showText(box.value);
