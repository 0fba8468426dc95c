package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
)

// start runs the feed as tickerd does, with pipes for its standard input and output.
func start(t *testing.T, setup string) (in *io.PipeWriter, out *bufio.Scanner, code <-chan int) {
	t.Helper()
	stdin, in := io.Pipe()
	reader, stdout := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(stdin, stdout)
		stdout.Close()
	}()
	if _, err := io.WriteString(in, setup+"\n"); err != nil {
		t.Fatal(err)
	}
	return in, bufio.NewScanner(reader), ended
}

func line(t *testing.T, out *bufio.Scanner) map[string]any {
	t.Helper()
	if !out.Scan() {
		t.Fatalf("no line: %v", out.Err())
	}
	said := map[string]any{}
	if err := json.Unmarshal(out.Bytes(), &said); err != nil {
		t.Fatalf("%s: %v", out.Text(), err)
	}
	return said
}

func TestEachPollIsAnsweredUntilItIsToldToStop(t *testing.T) {
	in, out, code := start(t, `{"tfp":1,"config":{"range_m":4}}`)
	if hello := line(t, out); hello["mode"] != "poll" {
		t.Fatalf("no hello: %v", hello)
	}
	for i := 1; i <= 3; i++ {
		fmt.Fprintf(in, "{\"poll\":%d,\"deadline_ms\":1000}\n", i)
		said := line(t, out)
		level := said["data"].(map[string]any)["level_m"].(float64)
		if said["topic"] != "harbour" || said["event"] != "tide" || level < -2 || level > 2 {
			t.Fatalf("no level: %v", said)
		}
		if done := line(t, out); done["done"] != float64(i) {
			t.Fatalf("poll %d is not done: %v", i, done)
		}
	}
	go func() {
		for out.Scan() {
		}
	}()
	io.WriteString(in, "{\"stop\":true}\n")
	if got := <-code; got != 0 {
		t.Fatalf("ended with %d", got)
	}
}

func TestTheEndOfInputStopsItToo(t *testing.T) {
	in, out, code := start(t, `{"tfp":1,"config":{}}`)
	line(t, out)
	go func() {
		for out.Scan() {
		}
	}()
	in.Close()
	if got := <-code; got != 0 {
		t.Fatalf("ended with %d", got)
	}
}

func TestAWrongConfigurationIsTold(t *testing.T) {
	for _, config := range []string{`{"range_m":-1}`, `{"rang":1}`, `{"period_s":"long"}`, `[]`} {
		_, out, code := start(t, `{"tfp":1,"config":`+config+`}`)
		said := line(t, out)
		if msg, _ := said["msg"].(string); said["fail"] != "config" || strings.TrimSpace(msg) == "" {
			t.Fatalf("%s: %v", config, said)
		}
		if got := <-code; got != 78 {
			t.Fatalf("%s: ended with %d", config, got)
		}
	}
}
