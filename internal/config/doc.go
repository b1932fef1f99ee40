// Package config turns a file, the environment and flags into one validated
// [Config], and a Config into the apps that the server serves.
//
// [Load] takes flags over environment variables over the file over
// [Defaults]. It is strict: an unknown key, an unknown PIPESOCKETD_ variable and
// a bad value are errors, and all faults are reported at once, one per line,
// each with the path of its key, such as apps[0].keys[0].secret. Load keeps no
// state and may be called again at any time, concurrently too. No secret enters
// an error or what [Print] writes.
//
// The structs of [Config] are the only list of keys. Names of variables and
// flags are derived from them ([Settings]), and the table in rules.go holds the
// meaning and the limits of each; a test fails where one lacks the other.
package config
