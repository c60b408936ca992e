// client.js HOST PORT DIRECTORY - writes, reads, appends, lists, makes, renames and removes with npm's
// "webhdfs", which knows nothing of Millrace. Prints one line a step; exit 1 at the first that fails.
'use strict';
const assert = require('assert');
const { Readable } = require('stream');
const WebHDFS = require('webhdfs');

const [host, port, directory] = process.argv.slice(2);
const hdfs = WebHDFS.createClient({ host, port, path: '/webhdfs/v1' });

// Each function of the client as a promise.
function call(name, ...args) {
  return new Promise((resolve, reject) => {
    hdfs[name](...args, (error, value) => (error ? reject(error) : resolve(value)));
  });
}

// A stream of pieces goes up as a chunked body.
function upload(path, pieces, append) {
  return new Promise((resolve, reject) => {
    const remote = hdfs.createWriteStream(path, append);
    remote.once('error', reject);
    remote.once('finish', resolve);
    Readable.from(pieces).pipe(remote);
  });
}

async function fails(promise, pattern) {
  try {
    await promise;
  } catch (error) {
    assert.match(error.message, pattern);
    return;
  }
  assert.fail(`nothing failed, ${pattern} was expected`);
}

async function main() {
  const path = `${directory}/file with spaces`;
  await call('mkdir', directory);
  await call('writeFile', path, 'first\n');
  assert.strictEqual(String(await call('readFile', path)), 'first\n');
  console.log('written and read');

  await call('appendFile', path, 'second\n');
  assert.strictEqual(String(await call('readFile', path)), 'first\nsecond\n');
  console.log('appended');

  const pieces = Array.from({ length: 40 }, (_, i) => Buffer.alloc(65536, i));
  await upload(`${directory}/stream`, pieces);
  await upload(`${directory}/stream`, [Buffer.from('end')], true);
  const back = await call('readFile', `${directory}/stream`);
  assert.ok(back.equals(Buffer.concat([...pieces, Buffer.from('end')])));
  console.log('streamed');

  const names = (await call('readdir', directory)).map((entry) => entry.pathSuffix);
  assert.deepStrictEqual(names.sort(), ['file with spaces', 'stream']);
  const status = await call('stat', path);
  assert.strictEqual(status.type, 'FILE');
  assert.strictEqual(status.length, 13);
  await call('chmod', path, '0640');
  assert.strictEqual((await call('stat', path)).permission, '640');
  console.log('listed');

  await call('rename', path, `${directory}/renamed`);
  await fails(call('stat', path), /does not exist/);
  assert.strictEqual(String(await call('readFile', `${directory}/renamed`)), 'first\nsecond\n');
  console.log('renamed');

  await fails(call('readFile', `${directory}/absent`), /does not exist/);
  await fails(call('mkdir', `${directory}/renamed/below`), /./);
  await fails(call('unlink', directory), /not empty/);
  await call('unlink', `${directory}/renamed`);
  await call('rmdir', directory, true);
  await fails(call('stat', directory), /does not exist/);
  console.log('removed');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
