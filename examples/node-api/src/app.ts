import express from "express";
import { z } from "zod";

import { Links } from "./links.js";

const NewLink = z.object({ target: z.string().url(), password: z.string().min(4).optional() });

/** The service over a store of links. */
export function createApp(links: Links) {
  const app = express();
  app.disable("x-powered-by");
  app.use(express.json());

  app.get("/healthz", (_req, res) => {
    res.json({ ok: true, links: links.size });
  });

  app.post("/links", async (req, res) => {
    const link = NewLink.safeParse(req.body);
    if (!link.success) {
      res.status(400).json(link.error.issues);
      return;
    }
    const name = await links.add(link.data.target, link.data.password);
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
