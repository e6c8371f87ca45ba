import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { createApp } from "../src/app.js";
import { Links } from "../src/links.js";

test("a link with a password opens with it only", async () => {
  const links = new Links(10);
  const name = await links.add("https://example.org/", "tide");
  assert.ok(name);
  assert.deepEqual(await links.follow(name), { kind: "locked" });
  assert.deepEqual(await links.follow(name, "tide"), { kind: "found", target: "https://example.org/" });
  assert.deepEqual(links.top(1), [{ name, visits: 1 }]);
});

test("no more links are kept than there is room for", async () => {
  const links = new Links(1);
  assert.ok(await links.add("https://example.org/a"));
  assert.equal(await links.add("https://example.org/b"), undefined);
});

test("the service answers over HTTP", async () => {
  const server = createApp(new Links(10)).listen(0);
  const { port } = server.address() as AddressInfo;
  const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, { redirect: "manual", ...init });
  const post = (body: unknown) =>
    ask("/links", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

  assert.equal((await post({ target: "no url" })).status, 400);
  const { name } = (await (await post({ target: "https://example.org/" })).json()) as { name: string };
  const followed = await ask(`/l/${name}`);
  assert.equal(followed.status, 302);
  assert.equal(followed.headers.get("location"), "https://example.org/");
  assert.equal((await ask("/l/none")).status, 404);
  assert.deepEqual(await (await ask("/healthz")).json(), { ok: true, links: 1 });
  server.close();
});
