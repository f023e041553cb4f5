package references

import "github.com/kubepromote/kubepromote/promote/objects"

// list collects what an object names.
type list []Reference

// add notes a reference, unless it may be missing.
func (l *list) add(kind string, from map[string]any, nameField, keyField string, at objects.Path) {
	optional, _ := from["optional"].(bool)
	if name := text(from[nameField]); name != "" && !optional {
		r := Reference{Kind: kind, Name: name, Path: at}
		if keyField != "" {
			r.Key = text(from[keyField])
		}
		*l = append(*l, r)
	}
}

// of lists what an object names.
func of(o *objects.Object) list {
	var l list
	if pods, ok := o.Pods(); ok {
		l.pods(pods)
	}
	spec, at := objects.Map(o.Fields["spec"]), objects.Path{"spec"}
	switch o.Kind {
	case "StatefulSet":
		l.add("Service", spec, "serviceName", "", at.Join("serviceName"))
	case "HorizontalPodAutoscaler":
		target := objects.Map(spec["scaleTargetRef"])
		l.add(text(target["kind"]), target, "name", "", at.Join("scaleTargetRef"))
	case "Ingress":
		l.ingress(spec, at)
	case "HTTPRoute", "GRPCRoute":
		for n, rule := range objects.Maps(spec["rules"]) {
			for m, b := range objects.Maps(rule["backendRefs"]) {
				if kind := text(b["kind"]); (kind == "" || kind == "Service") && text(b["namespace"]) == "" {
					l.add("Service", b, "name", "", at.Join("rules", objects.Element(rule, "name", n), "backendRefs", objects.Element(b, "name", m)))
				}
			}
		}
	}
	return l
}

func (l *list) ingress(spec map[string]any, at objects.Path) {
	backend := func(b map[string]any, at objects.Path) {
		if b != nil {
			l.add("Service", objects.Map(b["service"]), "name", "", at.Join("service", "name"))
		}
	}
	backend(objects.Map(spec["defaultBackend"]), at.Join("defaultBackend"))
	for n, rule := range objects.Maps(spec["rules"]) {
		for m, p := range objects.Maps(objects.Map(rule["http"])["paths"]) {
			backend(objects.Map(p["backend"]), at.Join("rules", objects.Element(rule, "host", n), "http", "paths", objects.Element(p, "path", m), "backend"))
		}
	}
	for n, tls := range objects.Maps(spec["tls"]) {
		l.add("Secret", tls, "secretName", "", at.Join("tls", objects.Element(tls, "secretName", n)))
	}
}

func (l *list) pods(p objects.PodSpec) {
	if text(p.Fields["serviceAccountName"]) != "default" { // which every namespace has
		l.add("ServiceAccount", p.Fields, "serviceAccountName", "", p.Path.Join("serviceAccountName"))
	}
	for n, s := range objects.Maps(p.Fields["imagePullSecrets"]) {
		l.add("Secret", s, "name", "", p.Path.Join("imagePullSecrets", objects.Element(s, "name", n)))
	}
	for n, v := range objects.Maps(p.Fields["volumes"]) {
		l.volume(v, p.Path.Join("volumes", objects.Element(v, "name", n)))
	}
	for _, c := range p.Containers() {
		for n, e := range objects.Maps(c.Fields["env"]) {
			at, from := c.Path.Join("env", objects.Element(e, "name", n)), objects.Map(e["valueFrom"])
			l.add("ConfigMap", objects.Map(from["configMapKeyRef"]), "name", "key", at)
			l.add("Secret", objects.Map(from["secretKeyRef"]), "name", "key", at)
		}
		for n, from := range objects.Maps(c.Fields["envFrom"]) {
			at := c.Path.Join("envFrom", objects.Element(from, "", n))
			l.add("ConfigMap", objects.Map(from["configMapRef"]), "name", "", at)
			l.add("Secret", objects.Map(from["secretRef"]), "name", "", at)
		}
	}
}

func (l *list) volume(v map[string]any, at objects.Path) {
	l.source("ConfigMap", objects.Map(v["configMap"]), "name", at.Join("configMap"))
	l.source("Secret", objects.Map(v["secret"]), "secretName", at.Join("secret"))
	l.add("PersistentVolumeClaim", objects.Map(v["persistentVolumeClaim"]), "claimName", "", at.Join("persistentVolumeClaim"))
	for n, s := range objects.Maps(objects.Map(v["projected"])["sources"]) {
		below := at.Join("projected", "sources", objects.Element(s, "", n))
		l.source("ConfigMap", objects.Map(s["configMap"]), "name", below)
		l.source("Secret", objects.Map(s["secret"]), "name", below)
	}
}

// source notes a volume's object, and the keys that it takes of it.
func (l *list) source(kind string, from map[string]any, nameField string, at objects.Path) {
	l.add(kind, from, nameField, "", at)
	optional, _ := from["optional"].(bool)
	for n, item := range objects.Maps(from["items"]) {
		if name, key := text(from[nameField]), text(item["key"]); name != "" && key != "" && !optional {
			*l = append(*l, Reference{kind, name, key, at.Join("items", objects.Element(item, "key", n))})
		}
	}
}
