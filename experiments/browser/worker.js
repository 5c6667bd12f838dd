// The worker of the page: holds the module and the models it was given, and samples one request at a time.
// Told {module}, {path, bytes} or {request}; tells {ready}, {x, level, evaluations} of each state, and
// {answer, milliseconds}. To stop it the page ends it.
let library;

async function started(compiled) {
  library = await dale({
    instantiateWasm: (imports, done) => {
      WebAssembly.instantiate(compiled, imports).then((instance) => done(instance));
      return {};
    },
    show: (x, level, evaluations) => postMessage({x, level, evaluations}, [x.buffer]),
    printErr: () => {},  // progress, for terminals
  });
  postMessage({ready: true});
}

onmessage = ({data}) => {
  if (data.module) {
    started(data.module);
  } else if (data.path) {
    library.FS.writeFile(data.path, data.bytes);
  } else {
    const before = performance.now();
    const call = (name, type, value) => JSON.parse(library.ccall(name, 'string', [type], [value]));
    const answer = data.numbers ? call('dale_numbers', 'number', data.numbers) :
                                  call('dale_sample', 'string', JSON.stringify(data.request));
    const milliseconds = performance.now() - before;
    postMessage({answer, milliseconds, heap: library.HEAPU8.length});
  }
};
