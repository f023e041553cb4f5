"use strict";
(() => {
	const $ = id => document.getElementById(id);
	const follows = document.body.dataset.follows === "true";
	const scroll = $("scroll"), board = $("board"), head = board.tHead, body = board.tBodies[0];
	let data, rows = [], shown = [], sortBy = 0, down = false, at = {row: 0, cell: 0}, drawn = "", tall = 41, all = false;

	// el makes an element; what is in it is text, whatever it looks like.
	function el(name, of, ...inside) {
		const e = document.createElement(name);
		if (of) e.className = of;
		for (const i of inside) e.append(i);
		return e;
	}
	const text = n => data.texts[n] || "";
	const when = t => new Date(t * 1000).toISOString().replace("T", " ").slice(0, 16) + " UTC";
	function age(t) {
		const s = Math.max(0, Date.now() / 1000 - t);
		for (const [n, unit] of [[31536000, "y"], [86400, "d"], [3600, "h"], [60, "m"]]) if (s >= (unit === "y" ? 2 : 1) * n) return Math.floor(s / n) + unit;
		return Math.floor(s) + "s";
	}

	// took is how long something took, in its two largest units.
	function took(s) {
		if (s < 0) return "–";
		const units = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]], n = Math.max(0, units.findIndex(u => s >= u[0]));
		const rest = n < 3 ? Math.floor(s % units[n][0] / units[n + 1][0]) : 0;
		return s < 1 ? "0s" : Math.floor(s / units[n][0]) + units[n][1] + (rest ? " " + rest + units[n + 1][1] : "");
	}
	const failed = f => f.f ? f.f + " (" + Math.round(100 * f.f / f.n) + " %)" : "0";
	const perWeek = f => (f.n * 604800 / Math.max(1, data.made - data.since)).toFixed(1);

	// bars draws the deployments of weeks, those that were taken back below.
	function bars(f) {
		const ns = "http://www.w3.org/2000/svg", most = Math.max(...f.w.map(w => w[0])), svg = document.createElementNS(ns, "svg");
		svg.setAttribute("viewBox", "0 0 " + f.w.length * 10 + " 40");
		svg.setAttribute("class", "bars");
		svg.setAttribute("role", "img");
		svg.setAttribute("aria-label", "Deployments of each week: " + f.w.map(w => w[0] + (w[1] ? ", " + w[1] + " taken back" : "")).join("; "));
		f.w.forEach(([n, bad], i) => {
			for (const [count, of] of [[n, "all"], [bad, "failed"]]) {
				if (!count) continue;
				const bar = document.createElementNS(ns, "rect"), tall = Math.max(2, 38 * count / most);
				for (const [k, v] of [["x", i * 10 + 1], ["y", 40 - tall], ["width", 8], ["height", tall], ["class", of]]) bar.setAttribute(k, v);
				svg.append(bar);
			}
		});
		return svg;
	}

	function figures() {
		$("what").textContent = "Figures since " + when(data.since);
		const line = f => f ? [f.n, perWeek(f), took(f.l), failed(f), took(f.r), bars(f)] : ["unknown", "unknown", "unknown", "unknown", "unknown", ""];
		const lines = data.deliveries.map(d => [...(data.fleet ? [text(d.r)] : []), d.e ? text(d.e) : "unknown", ...line(d.figures)]);
		const names = [...(data.fleet ? ["Repository"] : []), "Environment", "Deployments", "Per week", "Lead time", "Failed", "Recovery", "Weeks"];
		const out = lines.length ? table("", names, lines) : [el("p", "", data.cut ? "What was delivered is unknown." : "Nothing was delivered.")];
		out.push(el("p", "sub", "Lead time: from where an image stood first, the middle of all. Failed: taken back; recovery: how soon. kubectl promote report has them for each service."));
		if (data.cut) out.push(el("p", "sub", "The history was read in part: there may be more."));
		$("about").replaceChildren(...out);
		$("detail").showModal();
	}

	function take(d) {
		data = d;
		rows = d.rows.map(r => {
			const words = [text(r.r), text(r.n)];
			for (const c of r.c) {
				words.push(text(c.p), text(c.w), c.h ? "held" : "");
				for (const i of c.i || []) words.push(text(i[0]), text(i[1]), text(i[2]));
			}
			return {repo: text(r.r), name: text(r.n), cells: r.c, words: words.join("\n").toLowerCase()};
		});
		heading();
		const next = $("next");
		next.replaceChildren(...d.next.map(c => el("div", "", el("code", "", c))));
		if (d.unknown || !d.next.length) next.append(el("div", d.unknown ? "unsure" : "", d.unknown || "nothing to promote"));
		made();
		choose();
	}

	// made says of when the board is, and what keeps a newer one from being shown.
	function made(failed = data.error && "the repository cannot be read: " + data.error) {
		$("made").textContent = failed ? failed + ": this is how it was at " + when(data.made) : (data.head ? data.head.slice(0, 9) + ", " : "") + when(data.made);
		$("made").className = failed ? "unsure" : "";
	}

	function heading() {
		const tr = el("tr");
		const names = ["Service", ...data.environments.map(e => e.name + (e.behind ? " (" + e.behind + " behind)" : ""))].map((name, n) => [n, name]);
		if (data.fleet) names.splice(1, 0, [-1, "Repository"]);
		for (const [n, name] of names) {
			const b = el("button", "", name + (sortBy === n ? (down ? " ↓" : " ↑") : ""));
			b.type = "button";
			b.addEventListener("click", () => { down = sortBy === n ? !down : n > 0; sortBy = n; heading(); choose(); });
			const th = el("th", "", b);
			th.scope = "col";
			th.ariaSort = sortBy === n ? (down ? "descending" : "ascending") : "none";
			tr.append(th);
		}
		head.replaceChildren(tr);
	}

	function choose() {
		const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean), behind = $("behind").checked;
		shown = rows.filter(r => words.every(w => r.words.includes(w)) && (!behind || r.cells.some(c => c.d || c.u)));
		const by = sortBy < 0 ? "repo" : "name";
		const key = sortBy <= 0 ? (a, b) => a[by] < b[by] ? -1 : a[by] > b[by] ? 1 : 0 : (a, b) => (a.cells[sortBy - 1].t || 0) - (b.cells[sortBy - 1].t || 0);
		shown.sort((a, b) => down ? key(b, a) : key(a, b));
		$("count").textContent = shown.length === rows.length ? rows.length + " services" : shown.length + " of " + rows.length;
		at.row = Math.max(0, Math.min(at.row, shown.length - 1));
		board.ariaRowCount = shown.length + 1;
		draw(true);
	}

	function cell(c, row, n) {
		const td = el("td");
		td.dataset.row = row;
		td.dataset.cell = n;
		if (row === at.row && n === at.cell) { td.classList.add("at"); td.id = "at"; }
		if (!c.p) { td.classList.add("none"); td.textContent = "–"; return td; }
		td.classList.add(c.e ? "bad" : c.h ? "held" : c.d ? "behind" : c.u ? "unsure" : "same");
		const pin = el("span", "pin", text(c.p));
		if (c.d) pin.append(el("span", "mark", "behind"));
		else if (c.u) pin.append(el("span", "mark", "unknown"));
		if (c.h) pin.append(el("span", "mark", "held"));
		for (let i = 0; i < (c.q || []).length; i += 3) pin.append(el("span", "mark", text(c.q[i])));
		td.append(pin);
		if (c.t) td.append(el("span", "sub", age(c.t) + " · " + text(c.w)));
		return td;
	}

	function gap(height) {
		const tr = el("tr", "gap"), td = el("td");
		td.colSpan = data.environments.length + (data.fleet ? 2 : 1);
		td.style.height = height + "px";
		tr.append(td);
		return tr;
	}

	// draw makes the rows that can be seen; all of them to be printed.
	function draw(anew) {
		let first = 0, last = shown.length;
		if (!all && shown.length > 200) {
			first = Math.max(0, Math.floor(scroll.scrollTop / tall) - 10);
			last = Math.min(shown.length, first + Math.ceil(scroll.clientHeight / tall) + 25);
		}
		if (!anew && drawn === first + "-" + last) return;
		drawn = first + "-" + last;
		const out = [];
		if (first > 0) out.push(gap(first * tall));
		for (let n = first; n < last; n++) {
			const r = shown[n], th = el("th", "", r.name), tr = el("tr", "", th);
			th.scope = "row";
			th.title = r.name;
			tr.ariaRowIndex = n + 2;
			if (data.fleet) tr.append(el("td", "repo", r.repo));
			r.cells.forEach((c, i) => tr.append(cell(c, n, i)));
			out.push(tr);
		}
		if (last < shown.length) out.push(gap((shown.length - last) * tall));
		body.replaceChildren(...out);
		const one = body.querySelector("tr:not(.gap)");
		const height = one && !all ? one.getBoundingClientRect().height : 0;
		if (height && Math.abs(height - tall) > 0.5) { // the gaps were made for rows of another height
			tall = height;
			draw(true);
		}
		scroll.setAttribute("aria-activedescendant", "at");
	}

	function move(row, n) {
		at = {row: Math.max(0, Math.min(shown.length - 1, row)), cell: Math.max(0, Math.min(data.environments.length - 1, n))};
		const top = at.row * tall, room = scroll.clientHeight - head.offsetHeight;
		if (top < scroll.scrollTop) scroll.scrollTop = top;
		else if (top + tall > scroll.scrollTop + room) scroll.scrollTop = top + tall - room;
		draw(true);
		const td = $("at");
		if (td) td.scrollIntoView({block: "nearest", inline: "nearest"});
	}

	function fact(dl, name, value) {
		if (value) dl.append(el("dt", "", name), el("dd", "", value));
	}
	function table(title, headings, lines) {
		if (!lines.length) return [];
		const t = el("table", "list", el("thead", "", el("tr", "", ...headings.map(h => el("th", "", h)))), el("tbody", "", ...lines.map(l => el("tr", "", ...l.map(v => el("td", "", v))))));
		return [...title ? [el("h3", "", title)] : [], el("div", "wide", t)];
	}
	function link(address, words) {
		if (!/^https?:\/\//.test(address)) return words;
		const a = el("a", "", words);
		a.href = address;
		a.rel = "noreferrer noopener";
		return a;
	}
	function open(row, n) {
		const r = shown[row], c = r && r.cells[n], env = data.environments[n];
		if (!c || !c.p) return;
		$("what").textContent = r.name + " in " + env.name;
		const dl = el("dl"), fill = s => s.replaceAll("\u0001", r.name).replaceAll("\u0002", env.name);
		fact(dl, "Repository", r.repo);
		fact(dl, "Pin", text(c.p));
		fact(dl, "Since", c.t && when(c.t) + " (" + age(c.t) + ")");
		fact(dl, "By", text(c.w));
		fact(dl, "From", text(c.f));
		fact(dl, "Commit", text(c.k));
		fact(dl, "Held", text(c.h));
		fact(dl, "Unknown", text(c.e));
		if (c.x) {
			const [n, l, f, r] = c.x, x = {n, f};
			fact(dl, "Delivered", n + " times since " + when(data.since).slice(0, 10) + ", " + perWeek(x) + " a week" + (l < 0 ? "" : ", lead time " + took(l)) + (f ? ", taken back " + failed(x) + ", after " + took(r) : ""));
		}
		if (c.d) fact(dl, "Behind", (env.from || []).join(", "));
		else if (c.u) fact(dl, "Behind", "unknown: what it is promoted from cannot be read");
		const out = [dl];
		for (let i = 0; i < (c.q || []).length; i += 3) out.push(el("p", "", link(text(c.q[i + 1]), text(c.q[i]) + " " + text(c.q[i + 2]))));
		out.push(...table("Images", ["Name", "Tag", "Digest", "File"], (c.i || []).map(i => [text(i[0]), text(i[1]), text(i[2]), fill(text(i[3]))])));
		if (c.g) out.push(...table("Gates", ["Verdicts under which it came"], c.g.map(g => [text(g)])));
		out.push(...table("History", ["When", "Was", "Became", "By", "From", "Commit"], (c.y || []).map(h => [when(h[0]), ...h.slice(1).map(text)])));
		if (data.cut) out.push(el("p", "sub", "Older changes are left out: kubectl promote history has them."));
		$("about").replaceChildren(...out);
		$("detail").showModal();
	}

	body.addEventListener("click", e => {
		const td = e.target.closest("td[data-row]");
		if (td) { move(+td.dataset.row, +td.dataset.cell); open(at.row, at.cell); }
	});
	$("figures").addEventListener("click", figures);
	$("close").addEventListener("click", () => $("detail").close());
	$("detail").addEventListener("click", e => { if (e.target === $("detail")) $("detail").close(); });
	$("detail").addEventListener("close", () => scroll.focus());
	$("search").addEventListener("input", () => { scroll.scrollTop = 0; at.row = 0; choose(); });
	$("behind").addEventListener("change", () => { scroll.scrollTop = 0; at.row = 0; choose(); });
	scroll.addEventListener("scroll", () => requestAnimationFrame(() => draw(false)), {passive: true});
	addEventListener("resize", () => draw(true));
	addEventListener("beforeprint", () => { all = true; draw(true); });
	addEventListener("afterprint", () => { all = false; draw(true); });
	document.addEventListener("keydown", e => {
		if (e.ctrlKey || e.metaKey || e.altKey || $("detail").open) return;
		const typing = e.target === $("search"), page = Math.max(1, Math.floor(scroll.clientHeight / tall) - 2);
		if (e.key === "/" && !typing) { e.preventDefault(); $("search").focus(); $("search").select(); return; }
		if (typing && e.key === "Escape") { e.preventDefault(); $("search").value = ""; choose(); scroll.focus(); return; }
		if (typing && (e.key === "Enter" || e.key === "ArrowDown")) { e.preventDefault(); scroll.focus(); return; }
		if (typing || e.target.closest("button, label")) return;
		const to = {ArrowDown: [at.row + 1, at.cell], ArrowUp: [at.row - 1, at.cell], ArrowLeft: [at.row, at.cell - 1], ArrowRight: [at.row, at.cell + 1],
			PageDown: [at.row + page, at.cell], PageUp: [at.row - page, at.cell], Home: [0, at.cell], End: [shown.length - 1, at.cell]}[e.key];
		if (to) { e.preventDefault(); move(...to); }
		if (e.key === "Enter") { e.preventDefault(); open(at.row, at.cell); }
		if (e.key === "f") { e.preventDefault(); figures(); }
	});

	take(JSON.parse($("data").textContent));
	scroll.focus({preventScroll: true});
	document.documentElement.dataset.drawn = Math.round(performance.now());

	let ended = false;
	async function follow() {
		try {
			const answer = await fetch("board.json?made=" + data.made + "&head=" + encodeURIComponent(data.head) + "&error=" + encodeURIComponent(data.error || ""), {cache: "no-store"});
			if (answer.status === 200) take(await answer.json());
			else if (ended) made();
			ended = false;
		} catch {
			ended = true;
			made("the server has ended");
		}
		setTimeout(follow, 2000);
	}
	if (follows) setTimeout(follow, 2000);
})();
