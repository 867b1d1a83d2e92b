// Package httporigin loads values from an HTTP server.
//
// A URL template names where the key goes: "https://img.example/{key}" or
// "http://users.local/v1/user?id={key}". The key is escaped, so that it stays
// within its place whatever its bytes are, and it never chooses the host.
//
// The origin behaves as a shared cache does (RFC 9111): Cache-Control says how
// long a value may be kept, an ETag makes the next load conditional, 404 and 410
// are not found. Expires, Vary and heuristics are not used: without a
// Cache-Control the cache's own TTL holds. must-revalidate says nothing that the cache's
// options do not: where they allow stale answers, it does not forbid them.
package httporigin
