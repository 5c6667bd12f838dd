// What is seen: pictures of states on canvases, and a pixel's way as a curve. A state is x = 1 + brightness,
// n pictures of 28×28 one after the other.
'use strict';

const side = 28, area = side * side;

/// n pictures in columns; `grey` gives the brightness in [0, 1] of the number at an index.
function drawGrid(canvas, n, grey) {
  const columns = Math.round(Math.sqrt(n));
  canvas.width = columns * side;
  canvas.height = Math.ceil(n / columns) * side;
  const context = canvas.getContext('2d'), image = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < n * area; ++i) {
    const picture = Math.floor(i / area), row = Math.floor(i % area / side);
    const x = picture % columns * side + i % side, y = Math.floor(picture / columns) * side + row;
    const at = 4 * (y * canvas.width + x);
    image.data.fill(greyLevel(grey(i)), at, at + 3);
    image.data[at + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}
/// Of the 256 greys of a picture the one of a brightness in [0, 1], or the nearest.
const greyLevel = (v) => Math.round(255 * Math.min(1, Math.max(0, v)));

/// Brightness of x, and of what leads there, black to white from −3 s to 3 s of the noise it began with: in
/// logarithms where it multiplies.
const bright = (x) => (i) => x[i] - 1;
const ofNoise = (x, s, process) => (i) => (process === 'gbm' ? Math.log(x[i]) : x[i]) / (6 * s) + 0.5;
const ofChange = (from, to, s, process) => (i) =>
  (process === 'gbm' ? Math.log(to[i]) - Math.log(from[i]) : to[i] - from[i]) / (6 * s) + 0.5;

/// One picture of a state, enlarged; what is hidden is marked, and the pixel chosen framed.
function drawClose(canvas, x, picture, [column, row], hidden) {
  const scale = 10;
  canvas.width = canvas.height = scale * side;
  const context = canvas.getContext('2d');
  for (let i = 0; i < area; ++i) {
    const level = greyLevel(x ? x[picture * area + i] - 1 : 0.5);
    const at = [i % side * scale, Math.floor(i / side) * scale];
    context.fillStyle = `rgb(${level}, ${level}, ${level})`;
    context.fillRect(...at, scale, scale);
    if (!hidden[i]) continue;
    context.fillStyle = '#d55e00';
    context.fillRect(at[0] + 2, at[1] + 2, scale - 4, scale - 4);
  }
  context.strokeStyle = '#0a0';
  context.lineWidth = 2;
  context.strokeRect(column * scale, row * scale, scale, scale);
}

/// Curves over evaluations in an SVG of 320×190: {process, values}; a value outside [low, high] is cut.
function drawPath(svg, title, curves, low, high, mark) {
  const longest = Math.max(2, ...curves.map((c) => c.values.length));
  const across = (k) => 44 + 268 * k / (longest - 1);
  const up = (v) => 160 - 136 * (Math.min(high, Math.max(low, v)) - low) / (high - low || 1);
  const text = (v) => Math.abs(v) >= 1000 ? v.toExponential(0) : String(Math.round(100 * v) / 100);
  let inside = `<title>${title}</title><text x="44" y="14">${title}</text>` +
    `<path class="axis" d="M44 24V160H312"/><text x="40" y="28" text-anchor="end">${text(high)}</text>` +
    `<text x="40" y="164" text-anchor="end">${text(low)}</text><text x="312" y="178" text-anchor="end">` +
    `states, from noise to picture</text>`;
  if (mark < longest) inside += `<path class="axis" d="M${across(mark)} 24V160"/>`;
  for (const {process, values} of curves) {
    const points = values.map((v, k) => `${across(k).toFixed(1)} ${up(v).toFixed(1)}`);
    if (points.length) inside += `<path class="${process}" d="M${points.join('L')}"/>`;
  }
  svg.innerHTML = inside;
}

/// A picture of numbers in [0, 1] as the address of a PNG.
function pngOf(n, value) {
  const canvas = document.createElement('canvas');
  drawGrid(canvas, n, value);
  return canvas.toDataURL('image/png');
}
