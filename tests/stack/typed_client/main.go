// A client of the API with types, as Go programs for Rasa Enterprise are: each answer has to fit, and no list is null.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
)

type environmentHealth struct {
	Version string `json:"version"`
	Minimum string `json:"minimum_compatible_version"`
	Status  int    `json:"status"`
}

type health struct {
	Production environmentHealth `json:"production"`
	Worker     environmentHealth `json:"worker"`
	Migration  struct {
		Status   string  `json:"status"`
		Progress float32 `json:"progress_in_percent"`
	} `json:"database_migration"`
}

type version struct {
	Rasa struct {
		Production string `json:"production"`
		Worker     string `json:"worker"`
	} `json:"rasa"`
	RasaX      string              `json:"rasa-x"`
	Enterprise bool                `json:"enterprise"`
	Keys       []map[string]string `json:"keys"`
}

type model struct {
	Model        string   `json:"model"`
	Hash         string   `json:"hash"`
	Version      string   `json:"version"`
	TrainedAt    float64  `json:"trained_at"`
	Tags         []string `json:"tags"`
	IsCompatible bool     `json:"is_compatible"`
}

type environment struct {
	Name  string `json:"name"`
	URL   string `json:"url"`
	Token string `json:"token"`
}

type conversation struct {
	SenderID        string   `json:"sender_id"`
	LatestEventTime float64  `json:"latest_event_time"`
	Channel         string   `json:"latest_input_channel"`
	Intents         []string `json:"intents"`
	Actions         []string `json:"actions"`
	Policies        []string `json:"policies"`
	Tags            []string `json:"tags"`
	UserMessages    int      `json:"n_user_messages"`
	Flagged         bool     `json:"has_flagged_messages"`
}

type client struct{ url, token string }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// ask sends a body of a kind that has no length, or none, and no Content-Type unless one is given.
func (c client) ask(method, path, contentType string, body io.Reader, want int, into any) {
	request, err := http.NewRequest(method, c.url+"/api"+path, body)
	must(err)
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := http.DefaultClient.Do(request)
	must(err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	must(err)
	if response.StatusCode != want {
		must(fmt.Errorf("%s %s: %d and not %d: %s", method, path, response.StatusCode, want, content))
	}
	if into != nil {
		if err := json.Unmarshal(content, into); err != nil {
			must(fmt.Errorf("%s %s: %w: %s", method, path, err, content))
		}
	}
}

func text(value any) io.Reader {
	content, err := json.Marshal(value)
	must(err)
	return bytes.NewReader(content)
}

// unsized hides how long what it reads is, so that it goes in chunks.
type unsized struct{ io.Reader }

func (c client) upload(name string, content []byte, want int) {
	form := new(bytes.Buffer)
	writer := multipart.NewWriter(form)
	part, err := writer.CreateFormFile("model", name+".tar.gz")
	must(err)
	_, err = part.Write(content)
	must(err)
	must(writer.Close())
	c.ask("POST", "/projects/default/models", writer.FormDataContentType(), unsized{form}, want, nil)
}

func main() {
	c := client{url: os.Args[1]}
	archive, err := os.ReadFile(os.Args[4])
	must(err)
	var signedIn struct {
		Token string `json:"access_token"`
	}
	credentials := map[string]string{"username": os.Args[2], "password": os.Args[3]}
	c.ask("POST", "/auth", "application/json", text(credentials), 200, &signedIn)
	c.token = "no" + signedIn.Token
	c.ask("GET", "/config", "", nil, 401, nil)
	c.token = signedIn.Token
	c.ask("GET", "/config", "", nil, 200, nil)

	var found struct {
		Health        health
		Version       version
		Environments  []environment
		Models        []model
		Conversations []conversation
	}
	c.ask("POST", "/license", "application/json", text(map[string]string{"license": "a.b.c"}), 201, nil)
	c.ask("DELETE", "/license", "", nil, 204, nil)
	wanted := []environment{{Name: "worker", URL: "http://rasa-worker.example.com:5005", Token: "s3cret"}}
	c.ask("PUT", "/environments", "", text(wanted), 201, nil)
	c.ask("PUT", "/environments", "", unsized{text(wanted)}, 201, nil)
	c.upload("calm-otter", archive, 201)
	c.upload("calm-otter", archive, 409)
	c.upload("brisk-heron", archive, 201)
	c.ask("PUT", "/projects/default/models/calm-otter/tags/production", "", nil, 204, nil)
	c.ask("DELETE", "/projects/default/models/brisk-heron", "", nil, 204, nil)
	c.ask("GET", "/health", "", nil, 200, &found.Health)
	c.ask("GET", "/version", "", nil, 200, &found.Version)
	c.ask("GET", "/environments", "", nil, 200, &found.Environments)
	c.ask("GET", "/projects/default/models", "", nil, 200, &found.Models)
	c.ask("GET", "/conversations", "", nil, 200, &found.Conversations)
	must(json.NewEncoder(os.Stdout).Encode(found)) // a list that was null is null again
}
