// Transcripts lie in compressed chunks, in the page or beside it, and are unpacked when first looked at.
const transcripts = (function () {
  const folder = JSON.parse(document.getElementById("chunk-folder").textContent);
  const unpacked = new Map(); // chunk -> promise of {id: session}
  const waiting = new Map(); // chunk -> what to call with its text, for chunks beside the page

  globalThis.cbtrunChunk = (at, text) => waiting.get(at)?.(text);

  function packed(at) {
    if (!folder) return Promise.resolve(document.getElementById(`chunk-${at}`).textContent);
    return new Promise((resolve, reject) => {
      waiting.set(at, resolve);
      const script = document.createElement("script");
      script.src = `${folder}/${String(at).padStart(4, "0")}.js`;
      script.onerror = () => reject(new Error(`${script.src} is not there: keep ${folder} beside the report`));
      document.head.append(script);
    });
  }

  async function unpack(at) {
    const bytes = Uint8Array.from(atob((await packed(at)).trim()), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Map(Object.entries(await new Response(stream).json()));
  }

  function chunk(at) {
    if (!unpacked.has(at)) unpacked.set(at, unpack(at));
    return unpacked.get(at);
  }

  async function session(id) {
    const listed = sessionList.byId.get(id);
    return listed ? (await chunk(listed.chunk)).get(id) : undefined;
  }

  async function holding(text) {
    const ids = new Set();
    for (const at of new Set(sessionList.rows.map((one) => one.chunk))) {
      for (const [id, one] of await chunk(at)) {
        if (one.turns?.some(([, said]) => said.toLowerCase().includes(text))) ids.add(id);
      }
    }
    return ids;
  }

  // Persona cards and prompts: they stand in the last chunk.
  async function people() {
    const at = JSON.parse(document.getElementById("viewer-facts").textContent).people;
    return Object.fromEntries(await chunk(at));
  }

  return { session, holding, people };
})();
