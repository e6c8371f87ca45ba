import express from "express";
import { Links } from "./links.js";

/** What `POST /links` takes; nothing if it is something else. */
function newLink(body: unknown): { target: string; password?: string } | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const { target, password } = body as Record<string, unknown>;
  if (typeof target !== "string" || !URL.canParse(target)) return undefined;
  if (password !== undefined && (typeof password !== "string" || password.length < 4)) return undefined;
  return { target, password };
}

/** The service over a store of links. */
export function createApp(links: Links) {
  const app = express();
  app.disable("x-powered-by");
  app.use(express.json());

  app.get("/healthz", (_req, res) => {
    res.json({ ok: true, links: links.size });
  });

  app.post("/links", async (req, res) => {
    const link = newLink(req.body);
    if (!link) {
      res.status(400).json({ error: "a target, and perhaps a password of four letters or more" });
      return;
    }
    const name = await links.add(link.target, link.password);
    if (name === undefined) res.status(507).json({ error: "no room for more links" });
    else res.status(201).json({ name });
  });

  app.get("/l/:name", async (req, res) => {
    const answer = await links.follow(req.params.name, req.get("x-password"));
    if (answer.kind === "found") res.redirect(302, answer.target);
    else res.status(answer.kind === "locked" ? 401 : 404).json({ error: answer.kind });
  });

  app.get("/top", (_req, res) => {
    res.json(links.top(10));
  });

  return app;
}
