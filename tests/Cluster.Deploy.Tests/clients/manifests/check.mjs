// Reads YAML documents from standard input and prints what is wrong with them as objects of the Kubernetes API, one finding a line:
// values of a wrong type or form by the schemas of kubernetes-models, keys that the API does not know by its TypeScript types.
// Exit code 0 when nothing is wrong, 1 otherwise.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import ts from 'typescript';

const findings = [];
const documents = loadAll(readFileSync(0, 'utf8'));
const name = (document) => `${document.kind}/${document.metadata?.name}`;

for (const document of documents) {
  const models = await import(`kubernetes-models/${document.apiVersion}`).catch(() => ({}));
  const Model = models[document.kind];
  if (Model === undefined) {
    findings.push(`${name(document)}: there is no ${document.kind} in ${document.apiVersion}`);
    continue;
  }

  try {
    new Model(document).validate();
  } catch (error) {
    findings.push(`${name(document)}: ${error.message}`);
  }
}

// Each document as a constant of its type: a literal with a key that the type does not have is an error.
if (findings.length === 0) {
  const lines = documents.map((document, i) =>
    `const d${i}: import("kubernetes-models/${document.apiVersion}").I${document.kind} = ${JSON.stringify(document)};`);
  const file = join(import.meta.dirname, 'manifests.ts');
  const options = {
    strict: true, noEmit: true, skipLibCheck: true, types: [], lib: ['lib.es2022.d.ts'],
    target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  const text = `export {};\n${lines.join('\n')}\n`;
  host.fileExists = (path) => path === file || fileExists.call(host, path);
  host.readFile = (path) => (path === file ? text : readFile.call(host, path));
  host.getSourceFile = (path, ...rest) =>
    path === file ? ts.createSourceFile(path, text, options.target) : getSourceFile.call(host, path, ...rest);
  for (const problem of ts.getPreEmitDiagnostics(ts.createProgram([file], options, host))) {
    const line = problem.file?.fileName === file ? problem.file.getLineAndCharacterOfPosition(problem.start).line - 1 : -1;
    const message = ts.flattenDiagnosticMessageText(problem.messageText, ' ');
    findings.push(`${documents[line] ? name(documents[line]) : 'check'}: ${message}`);
  }
}

for (const finding of findings) {
  console.log(finding);
}

process.exitCode = findings.length === 0 ? 0 : 1;
