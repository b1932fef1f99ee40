// Package apps holds the tenants of the server: an [App] is one tenant's
// credentials, limits and webhook endpoints, and a [Registry] finds it by id or
// by key. Apps are immutable; a change of settings replaces the App.
package apps
