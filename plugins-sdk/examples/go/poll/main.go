// A simulated tide, told to tickerd in lines of JSON: the moon's pull, and the sun's, a little quicker, so that springs
// and neaps come and go. Standard output belongs to tickerd; what is for people goes to standard error.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"time"
)

// level is what a value looks like; x-tickerd-main marks the figure to show and to chart.
const level = `{"type":"object","required":["level_m"],"properties":{"level_m":{"type":"number","x-tickerd-main":true,"x-tickerd-role":"gauge","x-tickerd-unit":"m"}}}`

// config is the feed's own table in tickerd's configuration.
type config struct {
	RangeM  float64 `json:"range_m"`
	PeriodS float64 `json:"period_s"`
}

// setup is tickerd's first line.
type setup struct {
	Config json.RawMessage `json:"config"`
}

// configure reads the feed's table; what is not there has its default.
func configure(table json.RawMessage) (config, error) {
	c := config{RangeM: 2, PeriodS: 60}
	strict := json.NewDecoder(bytes.NewReader(table))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&c); err != nil {
		return c, err
	}
	switch {
	case !(c.RangeM > 0 && c.RangeM <= 100):
		return c, fmt.Errorf("range_m: write a number above 0, at most 100")
	case !(c.PeriodS >= 1 && c.PeriodS <= 1e6):
		return c, fmt.Errorf("period_s: write a number from 1 to 1000000")
	}
	return c, nil
}

func (c config) level(now time.Time) float64 {
	turns := float64(now.UnixMilli()) / 1000 / c.PeriodS
	return c.RangeM / 2 * (0.7*math.Sin(2*math.Pi*turns) + 0.3*math.Sin(2*math.Pi*turns*1.035))
}

// order is each further line of tickerd's.
type order struct {
	Poll *uint64 `json:"poll"`
	Stop bool    `json:"stop"`
}

// run is the feed's life; its answer is the exit code.
func run(stdin io.Reader, stdout io.Writer) int {
	in := bufio.NewScanner(stdin)
	in.Buffer(nil, 256*1024) // the longest line of the protocol
	if !in.Scan() {
		return 0
	}
	first := setup{Config: json.RawMessage("{}")}
	err := json.Unmarshal(in.Bytes(), &first)
	var c config
	if err == nil {
		c, err = configure(first.Config)
	}
	if err != nil {
		why, _ := json.Marshal(err.Error())
		fmt.Fprintf(stdout, "{\"fail\":\"config\",\"msg\":%s}\n", why)
		return 78 // EX_CONFIG: someone has to change something
	}
	fmt.Fprintln(stdout, `{"tfp":1,"feed":"org.example.example-go","version":"0.1.0","mode":"poll","default_poll_ms":250,"min_poll_ms":50,"events":{"tide":"state"},"docs":{"tide":{"description":"How high the water is.","schema":`+level+`}}}`)
	// The end of input ends the loop, and so the feed.
	for in.Scan() {
		var o order
		if json.Unmarshal(in.Bytes(), &o) != nil {
			continue // a later tickerd may say what this feed does not know
		}
		if o.Stop {
			break
		}
		if o.Poll == nil {
			continue
		}
		// One write a line, so that none is cut in two.
		fmt.Fprintf(stdout, "{\"topic\":\"harbour\",\"event\":\"tide\",\"data\":{\"level_m\":%.3f}}\n", c.level(time.Now()))
		if _, err := fmt.Fprintf(stdout, "{\"done\":%d}\n", *o.Poll); err != nil {
			break // nobody listens any more
		}
	}
	return 0
}

func main() {
	os.Exit(run(os.Stdin, os.Stdout))
}
