use insta::assert_snapshot;

use super::Sample;

const EXPRESS: &str = "const app = require('express')();\napp.get('/healthz', (req, res) => res.json({ ok: true }));\napp.listen(process.env.PORT || 3000);\n";

#[test]
fn plain_express_without_a_build() {
    let sample = Sample::with(&[
        ("package.json", r#"{"name": "shop", "scripts": {"start": "node server.js"}, "dependencies": {"express": "^4.0.0"}, "devDependencies": {"jest": "^29.0.0"}}"#),
        ("package-lock.json", r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"express": "^4.0.0"}, "devDependencies": {"jest": "^29.0.0"}}, "node_modules/express": {}, "node_modules/jest": {"dev": true}}}"#),
        ("server.js", EXPRESS),
        ("routes/items.js", ""),
        ("public/index.html", ""),
        ("jest.config.js", ""),
        ("test/server.test.js", ""),
        ("README.md", ""),
    ])
    .dockerfile("FROM node:20-alpine\nWORKDIR /usr/src/app\nCOPY package*.json ./\nRUN npm install\nCOPY . .\nEXPOSE 3000\nHEALTHCHECK CMD wget -q http://localhost:3000/healthz\nCMD [\"npm\", \"start\"]\n")
    .commands(&["0 4 /usr/src/app npm install", "0 4 /usr/src/app mkdir -p uploads"]);
    assert_snapshot!(sample.shown());
}

#[test]
fn typescript_by_yarn() {
    let sample = Sample::with(&[
        (
            "package.json",
            r#"{"name": "shop", "engines": {"node": ">=22"}, "scripts": {"build": "tsc", "start": "NODE_ENV=production node ./dist/index.js"}, "dependencies": {"fastify": "^5.0.0"}, "devDependencies": {"typescript": "^5.0.0"}}"#,
        ),
        ("yarn.lock", "# yarn lockfile v1\n\n\"@img/x-linuxmusl-x64@1.0.0\":\n"),
        ("tsconfig.json", "{\n  \"compilerOptions\": {\n    \"outDir\": \"./dist\"\n  }\n}"),
        (
            "src/index.ts",
            "server.listen({ port: 8080, host: '0.0.0.0' });\nconst views = path.join(process.cwd(), 'src/views');\n",
        ),
        ("src/views/home.ejs", ""),
        ("migrations/1.sql", ""),
    ]);
    assert_snapshot!(sample.shown());
}

#[test]
fn a_yarn_of_the_project() {
    let sample = Sample::with(&[
        (
            "package.json",
            r#"{"name": "shop", "packageManager": "yarn@4.5.0", "main": "app.js", "dependencies": {"koa": "^2.0.0"}, "devDependencies": {"eslint": "^9.0.0"}, "scripts": {"postinstall": "patch-package"}}"#,
        ),
        ("yarn.lock", "__metadata:\n  version: 8\n"),
        (".yarnrc.yml", "yarnPath: .yarn/releases/yarn-4.5.0.cjs\n"),
        (".yarn/releases/yarn-4.5.0.cjs", ""),
        ("patches/koa.patch", ""),
        ("app.js", "app.listen(4000)\n"),
    ]);
    assert_snapshot!(sample.shown());
}

#[test]
fn vite_and_a_server_by_pnpm() {
    let sample = Sample::with(&[
        ("package.json", r#"{"name": "shop", "packageManager": "pnpm@9.15.4+sha512.0", "type": "module", "scripts": {"build": "vite build", "start": "node server.js"}, "dependencies": {"hono": "^4.0.0"}, "devDependencies": {"vite": "^6.0.0"}}"#),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
        (".npmrc", "node-linker=hoisted\n"),
        ("vite.config.js", "export default { build: { outDir: 'public/app' } }\n"),
        ("index.html", ""),
        ("src/main.jsx", ""),
        ("server.js", "serve({ fetch: app.fetch, port: 8787 })\n"),
    ])
    .dockerfile("FROM node:22\nWORKDIR /app\nCOPY . .\nENV VITE_API=/api\nCMD [\"node\", \"server.js\"]\n")
    .commands(&["0 3 /app corepack enable", "0 4 /app pnpm install --frozen-lockfile", "0 5 /app pnpm build"]);
    assert_snapshot!(sample.shown());
}

#[test]
fn next() {
    let sample = Sample::with(&[
        ("package.json", r#"{"name": "shop", "scripts": {"dev": "next dev", "build": "next build", "start": "next start"}, "dependencies": {"next": "15.0.0", "react": "19.0.0"}, "devDependencies": {"typescript": "^5.0.0"}}"#),
        ("package-lock.json", r#"{"packages": {"": {"dependencies": {"next": "15.0.0", "react": "19.0.0"}, "devDependencies": {"typescript": "^5.0.0"}}, "node_modules/next": {"bin": {"next": "dist/bin/next"}}, "node_modules/@next/swc-linux-x64-musl": {"optional": true}}}"#),
        ("next.config.js", "module.exports = {}\n"),
        ("app/page.tsx", ""),
        ("app/api/health/route.ts", "export function GET() {}\n"),
        ("public/logo.svg", ""),
        ("messages/de.json", "{}"),
        ("tsconfig.json", "{}"),
    ])
    .dockerfile("FROM node:20\nWORKDIR /app\nCOPY . .\nENV NEXT_PUBLIC_API=/api\nCMD npm start\n");
    assert_snapshot!(sample.shown());
}

#[test]
fn next_standalone_as_its_documentation_has_it() {
    let sample = Sample::with(&[
        ("package.json", r#"{"name": "shop", "scripts": {"build": "next build"}, "dependencies": {"next": "15.0.0"}}"#),
        ("package-lock.json", r#"{"packages": {"": {"dependencies": {"next": "15.0.0"}}, "node_modules/next": {}}}"#),
        ("next.config.js", "module.exports = { output: 'standalone' }\n"),
        ("pages/index.js", ""),
        ("public/logo.svg", ""),
    ])
    .dockerfile("FROM node:20 AS build\nWORKDIR /app\nCOPY . .\nFROM node:20-alpine\nWORKDIR /app\nEXPOSE 3000\nENV HOSTNAME=0.0.0.0\nCMD [\"node\", \"server.js\"]\n")
    .commands(&["0 3 /app npm ci", "0 4 /app npm run build", "1 6 /app addgroup nodejs"])
    .copies(&[("/app/public", "/app/public"), ("/app/.next/standalone", "/app/"), ("/app/.next/static", "/app/.next/static")]);
    assert_snapshot!(sample.shown());
}

#[test]
fn nest() {
    let sample = Sample::with(&[
        (
            "package.json",
            r#"{"name": "shop", "scripts": {"build": "nest build", "start": "nest start", "start:prod": "node dist/main"}, "dependencies": {"@nestjs/core": "^11.0.0"}, "devDependencies": {"@nestjs/cli": "^11.0.0"}}"#,
        ),
        ("nest-cli.json", "{}"),
        ("tsconfig.json", "{\n  \"compilerOptions\": {\n    \"outDir\": \"./dist\"\n  }\n}"),
        ("src/main.ts", "app.setGlobalPrefix('api');\nawait app.listen(process.env.PORT ?? 3000);\n"),
        ("src/health.controller.ts", "@Controller('health')\n"),
        ("test/app.e2e-spec.ts", ""),
    ]);
    assert_snapshot!(sample.shown());
}

#[test]
fn prisma() {
    let sample = Sample::with(&[
        ("package.json", r#"{"name": "shop", "scripts": {"build": "tsc", "start": "node dist/index.js"}, "dependencies": {"@prisma/client": "^6.0.0", "express": "4"}, "devDependencies": {"prisma": "^6.0.0", "typescript": "5"}}"#),
        ("package-lock.json", r#"{"packages": {"": {"dependencies": {"@prisma/client": "^6.0.0", "express": "4"}, "devDependencies": {"prisma": "^6.0.0", "typescript": "5"}}}}"#),
        ("prisma/schema.prisma", ""),
        ("prisma/migrations/1/migration.sql", ""),
        ("tsconfig.json", "{ \"compilerOptions\": { \"outDir\": \"dist\" } }"),
        ("src/index.ts", "app.listen(3000)\n"),
    ])
    .dockerfile("FROM node:20-slim\nWORKDIR /app\nCOPY . .\nCMD [\"node\", \"dist/index.js\"]\n")
    .commands(&["0 3 /app npm ci", "0 4 /app npx prisma generate", "0 5 /app npm run build"]);
    assert_snapshot!(sample.shown());
}

#[test]
fn native_addons_and_a_token() {
    let sample = Sample::with(&[
        ("package.json", r#"{"name": "shop", "main": "index.js", "dependencies": {"better-sqlite3": "^11.0.0"}, "scripts": {"prepare": "husky"}}"#),
        (".npmrc", "//npm.example.org/:_authToken=abc\n"),
        ("index.js", "app.listen(9000)\n"),
    ])
    .dockerfile("FROM node:18\nWORKDIR /srv/shop\nCOPY . .\nVOLUME /srv/shop/data\nUSER 1001:1001\nENTRYPOINT [\"docker-entrypoint.sh\"]\nCMD [\"node\", \"index.js\"]\n")
    .commands(&["0 3 /srv/shop npm install --legacy-peer-deps", "0 4 /srv/shop apk add --no-cache python3 make g++ ffmpeg"]);
    assert_snapshot!(sample.shown());
}

#[test]
fn a_front_end_inside_the_project() {
    let sample = Sample::with(&[
        (
            "package.json",
            r#"{"name": "shop", "scripts": {"start": "node server/index.js"}, "dependencies": {"express": "4"}}"#,
        ),
        ("package-lock.json", "{}"),
        ("server/index.js", "app.use(express.static('client/build'));\napp.listen(5000)\n"),
        ("client/package.json", r#"{"dependencies": {"react-scripts": "5"}}"#),
        ("client/src/index.js", ""),
    ])
    .dockerfile("FROM node:20\nWORKDIR /app\nCOPY . .\nCMD npm start\n")
    .commands(&["0 3 /app npm ci", "0 4 /app/client npm ci", "0 4 /app/client npm run build"]);
    assert_snapshot!(sample.shown());
}

#[test]
fn a_build_that_says_nothing_about_its_results() {
    let sample = Sample::with(&[
        ("package.json", r#"{"name": "shop", "scripts": {"build": "node tools/make.js", "start": "node index.js"}, "dependencies": {"express": "4"}, "devDependencies": {"less": "4"}}"#),
        ("package-lock.json", "{}"),
        ("index.js", "app.listen(5000)\n"),
        ("tools/make.js", ""),
    ])
    .dockerfile("FROM node:20\nWORKDIR /app\nCOPY . .\nCMD npm start\n")
    .commands(&["0 3 /app npm ci", "0 4 /app npm run build"]);
    assert_snapshot!(sample.shown());
}
