package credentials

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// app asks for the token of a GitHub App's installation:
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app.
func (s *search) app(ctx context.Context) (forge.Token, error) {
	if s.repository.Kind != forge.GitHub {
		return forge.Token{}, nil
	}
	s.looked = append(s.looked, AppVariable)
	id, keyFile := s.options.Getenv(AppVariable), s.options.Getenv(KeyFileVariable)
	if id == "" {
		return forge.Token{}, nil
	}
	if s.host != "github.com" && !s.trusted("GITHUB_SERVER_URL", "GH_HOST") {
		s.refuse(AppVariable)
		return forge.Token{}, nil
	}
	if keyFile == "" {
		return forge.Token{}, &forge.Error{Msg: AppVariable + " is set, and " + KeyFileVariable + " is not", Hint: "export " + KeyFileVariable + "=FILE"}
	}
	var installation int64
	if text := s.options.Getenv(InstallationVariable); text != "" {
		var err error
		if installation, err = strconv.ParseInt(text, 10, 64); err != nil || installation <= 0 {
			return forge.Token{}, &forge.Error{Msg: InstallationVariable + " is no number"}
		}
	}
	now := time.Now
	if s.options.Forge.Now != nil {
		now = s.options.Forge.Now
	}
	jwt, err := signed(id, keyFile, now())
	if err != nil {
		return forge.Token{}, err
	}
	return forge.InstallationToken(ctx, s.repository, forge.Token{Secret: jwt, From: AppVariable}, installation, s.options.Forge)
}

// signed makes the token that an app shows. It begins a minute ago, for clocks that
// are behind.
func signed(id, keyFile string, now time.Time) (string, error) {
	data, err := readFile(keyFile)
	if err != nil {
		return "", &forge.Error{Msg: KeyFileVariable + ": " + err.Error()}
	}
	key := privateKey(data)
	if key == nil {
		return "", &forge.Error{Msg: KeyFileVariable + ": the file has no RSA private key in PEM"}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", &forge.Error{Msg: KeyFileVariable + ": the key cannot be used"}
	}
	claims, err := json.Marshal(map[string]any{"iss": id, "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(9 * time.Minute).Unix()})
	if err != nil {
		return "", &forge.Error{Msg: AppVariable + " cannot be written"}
	}
	signature, err := signer.Sign(claims)
	if err != nil {
		return "", &forge.Error{Msg: KeyFileVariable + ": the key cannot sign"}
	}
	return signature.CompactSerialize()
}

func privateKey(data []byte) *rsa.PrivateKey {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		rsaKey, _ := key.(*rsa.PrivateKey)
		return rsaKey
	}
	return nil
}
