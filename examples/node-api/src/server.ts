import { createApp } from "./app.js";
import { Links } from "./links.js";

const port = Number(process.env.PORT ?? 3000);
const links = new Links(Number(process.env.LINK_LIMIT ?? 10_000));

const server = createApp(links).listen(port, () => console.log(`listening on ${port}`));

process.on("SIGTERM", () => server.close(() => process.exit(0)));
