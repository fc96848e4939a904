// Asks a server in this namespace until it answers 200, then prints "ready". Arguments: URL, limit in milliseconds.

const [url, limit_ms] = process.argv.slice(2);
const deadline = Date.now() + Number(limit_ms);
let last = 'no answer';
while (last !== 200 && Date.now() < deadline) {
  last = await fetch(url).then(({ status }) => status, (error) => error.cause?.code ?? error.message);
  if (last !== 200) await new Promise((resolve) => setTimeout(resolve, 50));
}
console.log(last === 200 ? 'ready' : `${url}: ${last}`);
process.exit(last === 200 ? 0 : 1);
