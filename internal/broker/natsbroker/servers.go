package natsbroker

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
)

const defaultPort = "4222"

// servers is what a URL of the configuration says.
type servers struct {
	urls   []string // without credentials
	secure bool
	auth   []nats.Option
}

// parseServers reads one or more URLs, separated by commas. Its errors quote
// nothing, because there may be a password anywhere.
func parseServers(raw string) (servers, error) {
	var s servers
	var user *url.Userinfo
	var query string
	for i, text := range strings.Split(raw, ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil || u.Hostname() == "" || u.Opaque != "" || strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
			return servers{}, fmt.Errorf("server %d is not of the form nats://user:password@host:port", i+1)
		}
		switch u.Scheme {
		case "nats":
		case "tls":
			s.secure = true
		default:
			return servers{}, fmt.Errorf("server %d: the scheme must be nats or tls", i+1)
		}
		if u.User != nil && user != nil && u.User.String() != user.String() ||
			u.RawQuery != "" && query != "" && u.RawQuery != query {
			return servers{}, fmt.Errorf("server %d has other credentials than those before it: servers of one cluster share them", i+1)
		}
		if u.User != nil {
			user = u.User
		}
		if u.RawQuery != "" {
			query = u.RawQuery
		}
		port := u.Port()
		if port == "" {
			port = defaultPort
		}
		s.urls = append(s.urls, u.Scheme+"://"+net.JoinHostPort(u.Hostname(), port))
	}
	auth, err := credentials(user, query)
	s.auth = auth
	return s, err
}

// credentials returns what is shown to every server, also to one that another server
// has told of.
func credentials(user *url.Userinfo, query string) ([]nats.Option, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("what follows the ? of the URL cannot be read")
	}
	var auth []nats.Option
	for key := range values {
		switch file := values.Get(key); key {
		case "creds_file":
			auth = append(auth, nats.UserCredentials(file))
		case "nkey_file":
			option, err := nats.NkeyOptionFromSeed(file)
			if err != nil {
				return nil, fmt.Errorf("read nkey_file: %w", err)
			}
			auth = append(auth, option)
		default:
			return nil, errors.New("after the ? of the URL there may be creds_file or nkey_file")
		}
	}
	if user != nil {
		password, ok := user.Password()
		if ok {
			auth = append(auth, nats.UserInfo(user.Username(), password))
		} else {
			auth = append(auth, nats.Token(user.Username()))
		}
	}
	if len(auth) > 1 {
		return nil, errors.New("the URL may name one of a user, a token, creds_file and nkey_file")
	}
	return auth, nil
}
