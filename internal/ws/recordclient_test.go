package ws

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
)

// Kinds of TLS record.
const (
	recordAlert     = 21
	recordHandshake = 22
	recordData      = 23
)

const messageKeyUpdate = 24

// recordClient is a TLS 1.3 client that makes each record itself, once crypto/tls
// has made the handshake. One goroutine may write and another read.
type recordClient struct {
	net.Conn // the socket
	t        *testing.T
	out, in  trafficKeys
	unread   []byte
	updates  atomic.Int64 // keys that the server has changed
}

// secureByHand makes the handshake.
func secureByHand(t *testing.T, conn net.Conn) *recordClient {
	t.Helper()
	var secrets bytes.Buffer
	client := tls.Client(&recordwise{Conn: conn}, &tls.Config{
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, KeyLogWriter: &secrets,
	})
	if err := client.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if client.ConnectionState().CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		t.Skip("without hardware support of AES another cipher is agreed on, which this client does not know")
	}
	c := &recordClient{Conn: conn, t: t}
	for line := range strings.Lines(secrets.String()) {
		fields := strings.Fields(line)
		secret, _ := hex.DecodeString(fields[2])
		switch fields[0] {
		case "CLIENT_TRAFFIC_SECRET_0":
			c.out.use(secret)
		case "SERVER_TRAFFIC_SECRET_0":
			c.in.use(secret)
		}
	}
	return c
}

// record returns a record for the server.
func (c *recordClient) record(kind byte, content []byte) []byte {
	return c.out.seal(kind, content)
}

// keyUpdate returns the record that announces new keys, and uses them from then
// on. With answer, the server is asked to change its own too.
func (c *recordClient) keyUpdate(answer bool) []byte {
	message := []byte{messageKeyUpdate, 0, 0, 1, 0}
	if answer {
		message[4] = 1
	}
	record := c.record(recordHandshake, message)
	c.out.update()
	return record
}

// Write implements net.Conn: one record.
func (c *recordClient) Write(b []byte) (int, error) {
	if _, err := c.Conn.Write(c.record(recordData, b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Read implements net.Conn.
func (c *recordClient) Read(b []byte) (int, error) {
	for len(c.unread) == 0 {
		var err error
		if c.unread, err = c.read(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}

// read reads one record and returns what is data of it.
func (c *recordClient) read() ([]byte, error) {
	header := make([]byte, 5)
	if _, err := io.ReadFull(c.Conn, header); err != nil {
		return nil, err
	}
	sealed := make([]byte, binary.BigEndian.Uint16(header[3:]))
	if _, err := io.ReadFull(c.Conn, sealed); err != nil {
		return nil, err
	}
	kind, content, err := c.in.open(header, sealed)
	switch {
	case err != nil:
		return nil, err
	case kind == recordData:
		return content, nil
	case kind == recordHandshake && content[0] == messageKeyUpdate:
		c.in.update()
		c.updates.Add(1)
	case kind == recordAlert:
		return nil, io.EOF
	}
	return nil, nil
}

// trafficKeys protect one direction (RFC 8446, sections 5 and 7).
type trafficKeys struct {
	secret   []byte
	aead     cipher.AEAD
	iv       []byte
	sequence uint64
}

func (k *trafficKeys) use(secret []byte) {
	block, err := aes.NewCipher(expandLabel(secret, "key", 16))
	if err != nil {
		panic(err)
	}
	k.aead, _ = cipher.NewGCM(block)
	k.secret, k.iv, k.sequence = secret, expandLabel(secret, "iv", 12), 0
}

func (k *trafficKeys) update() { k.use(expandLabel(k.secret, "traffic upd", sha256.Size)) }

func expandLabel(secret []byte, label string, length int) []byte {
	label = "tls13 " + label
	info := string([]byte{0, byte(length), byte(len(label))}) + label + "\x00"
	key, err := hkdf.Expand(sha256.New, secret, info, length)
	if err != nil {
		panic(err)
	}
	return key
}

// nonce returns that of the next record.
func (k *trafficKeys) nonce() []byte {
	nonce := bytes.Clone(k.iv)
	last := nonce[len(nonce)-8:]
	binary.BigEndian.PutUint64(last, binary.BigEndian.Uint64(last)^k.sequence)
	k.sequence++
	return nonce
}

func (k *trafficKeys) seal(kind byte, content []byte) []byte {
	inner := append(bytes.Clone(content), kind)
	header := binary.BigEndian.AppendUint16([]byte{recordData, 3, 3}, uint16(len(inner)+k.aead.Overhead()))
	return k.aead.Seal(header, k.nonce(), inner, header)
}

func (k *trafficKeys) open(header, sealed []byte) (kind byte, content []byte, err error) {
	inner, err := k.aead.Open(nil, k.nonce(), sealed, header)
	if err != nil || len(inner) == 0 {
		return 0, nil, errors.Join(errors.New("record cannot be opened"), err)
	}
	return inner[len(inner)-1], inner[:len(inner)-1], nil
}

// recordwise gives a TLS client no byte of the record behind the one that it
// reads, so that another can go on reading there.
type recordwise struct {
	net.Conn
	header []byte // not yet read
	left   int    // of the payload
}

func (r *recordwise) Read(b []byte) (int, error) {
	if len(r.header) == 0 && r.left == 0 {
		r.header = make([]byte, 5)
		if _, err := io.ReadFull(r.Conn, r.header); err != nil {
			return 0, err
		}
		r.left = int(binary.BigEndian.Uint16(r.header[3:]))
	}
	if len(r.header) > 0 {
		n := copy(b, r.header)
		r.header = r.header[n:]
		return n, nil
	}
	n, err := r.Conn.Read(b[:min(len(b), r.left)])
	r.left -= n
	return n, err
}
