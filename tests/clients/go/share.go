// Connections that share a compressed stream, or insist on none, as Go's libraries open them; see shared.py and share.mjs.
// The libraries are Debian's: GO111MODULE=off GOPATH=/usr/share/gocode go build share.go
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	gorilla "github.com/gorilla/websocket"
	nhooyr "nhooyr.io/websocket"
)

// No wait is longer than what a step takes, by this much.
const guard = time.Minute

type connection interface {
	read() (string, error)
	write(text string) error
}

type ofNhooyr struct{ *nhooyr.Conn }

func (c ofNhooyr) read() (string, error) {
	_, text, err := c.Read(context.Background())
	return string(text), err
}
func (c ofNhooyr) write(text string) error {
	return c.Write(context.Background(), nhooyr.MessageText, []byte(text))
}

type ofGorilla struct{ *gorilla.Conn }

func (c ofGorilla) read() (string, error) {
	_, text, err := c.ReadMessage()
	return string(text), err
}
func (c ofGorilla) write(text string) error { return c.WriteMessage(gorilla.TextMessage, []byte(text)) }

// What was agreed with a connection of that library.
func dial(whose, url string) (connection, string, error) {
	if whose == "gorilla" {
		dialer := gorilla.Dialer{EnableCompression: true}
		conn, answer, err := dialer.Dial(url, nil)
		if err != nil {
			return nil, "", err
		}
		return ofGorilla{conn}, answer.Header.Get("Sec-WebSocket-Extensions"), nil
	}
	options := &nhooyr.DialOptions{CompressionMode: nhooyr.CompressionNoContextTakeover}
	if whose == "nhooyr" {
		options.CompressionMode = nhooyr.CompressionContextTakeover
	}
	conn, answer, err := nhooyr.Dial(context.Background(), url, options)
	if err != nil {
		return nil, "", err
	}
	conn.SetReadLimit(1 << 20)
	return ofNhooyr{conn}, answer.Header.Get("Sec-WebSocket-Extensions"), nil
}

type client struct {
	connection
	Extensions string   `json:"extensions"`
	Texts      []string `json:"texts"`
	lock       sync.Mutex
	sines      int
	news       chan struct{}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func open(whose, host string) *client {
	conn, extensions, err := dial(whose, "ws://"+host+"/ws?topics=sim.**")
	check(err)
	c := &client{connection: conn, Extensions: extensions, news: make(chan struct{}, 1)}
	go func() {
		for {
			text, err := c.read()
			c.lock.Lock()
			check(err)
			c.Texts = append(c.Texts, text)
			if strings.Contains(text, `"topic":"sim.sine"`) {
				c.sines++
			}
			c.lock.Unlock()
			select {
			case c.news <- struct{}{}:
			default:
			}
		}
	}()
	return c
}

func (c *client) say(event string, data map[string]interface{}) {
	text, err := json.Marshal(map[string]interface{}{"event": event, "data": data})
	check(err)
	check(c.write(string(text)))
}

func (c *client) count() int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.sines
}

// Waits for that many ticks of sim.sine from now on, which come ten times a second.
func (c *client) until(steps int) {
	late := time.After(guard + time.Duration(steps)*time.Second)
	for enough := c.count() + steps; c.count() < enough; {
		select {
		case <-c.news:
		case <-late:
			check(fmt.Errorf("%d ticks did not come", steps))
		}
	}
}

// The same as in share.mjs.
func main() {
	host, whose := os.Args[1], os.Args[3]
	steps, err := strconv.Atoi(os.Args[2])
	check(err)
	clients := []*client{open(whose, host), open(whose, host), open(whose, host)}
	first, leaves, asks := clients[0], clients[1], clients[2]
	all, one := []string{"sim.**"}, []string{"sim.AAPL"}
	topics := func(topics []string) map[string]interface{} { return map[string]interface{}{"topics": topics} }
	first.until(steps)
	leaves.say("unsubscribe", topics(all))
	leaves.say("subscribe", topics(one))
	clients = append(clients, open(whose, host))
	first.until(steps)
	leaves.say("unsubscribe", topics(one))
	leaves.say("subscribe", topics(all))
	for id := 0; id < 5; id++ {
		asks.say("topics", map[string]interface{}{"id": id, "match": "sim.**"})
		asks.say("get", map[string]interface{}{"id": id, "topics": []string{"sim.*"}})
		first.until(1)
	}
	leaves.until(steps)
	for _, c := range clients {
		c.lock.Lock()
		defer c.lock.Unlock()
	}
	check(json.NewEncoder(os.Stdout).Encode(clients))
}
