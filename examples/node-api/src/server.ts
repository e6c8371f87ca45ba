import pino from "pino";

import { createApp } from "./app.js";
import { Links } from "./links.js";

const log = pino();
const port = Number(process.env.PORT ?? 3000);
const links = new Links(Number(process.env.LINK_LIMIT ?? 10_000));

const server = createApp(links).listen(port, () => log.info({ port }, "listening"));

process.on("SIGTERM", () => server.close(() => process.exit(0)));
