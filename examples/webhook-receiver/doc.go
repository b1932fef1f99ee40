// Command webhook-receiver stores the webhooks of pipesocketd in SQLite or
// PostgreSQL and shows them on a page. It is a start for receivers of your own:
// copy the directory.
//
//	webhook-receiver [-listen 127.0.0.1:8090] [-page 127.0.0.1:8091] [-database sqlite:history.db]
//
// The way of a request: handler.go reads it within limits, webhook.go believes
// it or not, store.go keeps it, and only what has been committed is answered
// with 2xx, because what is answered so never comes again. page.go shows it.
//
// RECEIVER_KEYS holds the key pairs of the apps: "key:secret,key:secret". Without
// it the pair of the development app is taken, on loopback only.
package main
