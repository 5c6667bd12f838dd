// dale.html of its parts: page.html, in which {{NAME}} stands for a file beside it, {{module}} for the
// module's script, and {{packed}} for the module and the models:
//   node assemble.js MODULE.js MODULE.wasm MODEL.safetensors… > dale.html
// Packed is base64 of gzip. The bytes of a model's floats are put in four rows first, of all first bytes, all
// second bytes and so on: its exponents, which are much alike, then stand together.
const {readFileSync} = require('fs'), {basename, join} = require('path'), {gzipSync} = require('zlib');
const [script, wasm, ...models] = process.argv.slice(2);

function packed(path, rows) {
  const bytes = readFileSync(path), length = Math.ceil(bytes.length / rows);
  const arranged = Buffer.alloc(rows * length);
  for (let i = 0; i < bytes.length; ++i) arranged[(i % rows) * length + Math.floor(i / rows)] = bytes[i];
  const text = gzipSync(arranged, {level: 9}).toString('base64');
  return `<script type="text/plain" id="${basename(path)}" data-rows="${rows}" data-size="${bytes.length}">` +
    `${text}</script>\n`;
}

function part(name) {
  if (name === 'packed') return packed(wasm, 1) + models.map((path) => packed(path, 4)).join('');
  return readFileSync(name === 'module' ? script : join(__dirname, name), 'utf8');
}

const page = readFileSync(join(__dirname, 'page.html'), 'utf8');
process.stdout.write(page.replace(/\{\{([\w.]+)\}\}/g, (_, name) => part(name)));
