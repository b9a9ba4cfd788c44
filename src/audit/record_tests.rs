//! A record is held against serde_json and against [`Entry`], field by field.
use super::*;
use crate::audit::Entry;
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};

/// Everything a record may hold, owned, so that proptest can make it up.
#[derive(Debug, Clone)]
struct Made {
    time: Timestamp,
    kind: Kind,
    texts: Vec<String>,
    groups: Vec<Arc<str>>,
    peer: Option<SocketAddr>,
    client: Option<IpAddr>,
    decision: Decision,
    cache: Cache,
    line: u32,
    status: Option<u16>,
    detail: Vec<u8>,
}

prop_compose! {
    fn made()(
        // 1970 to 9999.
        micros in 0..253_402_207_200_000_000_i64,
        kind in select(vec![Kind::Asked, Kind::Answered, Kind::Broken, Kind::Act]),
        texts in vec(any::<String>(), 16),
        groups in vec(any::<String>().prop_map(Arc::from), 0..4),
        peer in option::of(any::<SocketAddr>().prop_map(|mut peer| {
            // Zone and flow are not recorded: they mean nothing on another machine.
            if let SocketAddr::V6(v6) = &mut peer { v6.set_scope_id(0); v6.set_flowinfo(0); }
            peer
        })),
        client in option::of(any::<IpAddr>()),
        decision in select(vec![Decision::Allow, Decision::Deny, Decision::Withheld, Decision::Unauthenticated, Decision::None]),
        cache in select(vec![Cache::Hit, Cache::Stale, Cache::Miss, Cache::Joined, Cache::None]),
        line in any::<u32>(),
        status in option::of(100..1000_u16),
        detail in any::<Vec<u8>>(),
    ) -> Made {
        Made { time: Timestamp::from_microsecond(micros).unwrap(), kind, texts, groups, peer, client, decision, cache, line, status, detail }
    }
}

impl Made {
    fn encoded(&self) -> Vec<u8> {
        let [
            request,
            trace,
            subject,
            method,
            token,
            verb,
            label,
            module,
            version,
            query,
            sumdb,
            file,
            id,
            policy,
            source,
            h1,
        ] = self.texts.each_str();
        let warnings: Vec<&str> = self.groups.iter().map(|group| &**group).collect();
        let record = Record {
            time: self.time,
            kind: self.kind,
            request,
            trace: Some(trace),
            subject,
            groups: &self.groups,
            roles: &self.groups,
            method,
            token: Some(token),
            claims: &[(token, trace), ("run_id", method)],
            reason: Some(label),
            login: Some(source),
            peer: self.peer,
            client: self.client,
            target: Some(Target {
                verb,
                label,
                module: Some(module),
                version: Some(version),
                query: Some(query),
                sumdb: Some(sumdb),
                path: Some(source),
            }),
            decision: self.decision,
            rule: Some(RuleRef { file, line: self.line, id: Some(id) }),
            warnings: &warnings,
            policy,
            status: self.status,
            cache: self.cache,
            source: Some(source),
            h1: Some(h1),
            act: Some(Act { name: "test.made", detail: &self.detail }),
        };
        let mut line = Vec::new();
        record.encode(&mut line);
        line
    }
}

trait EachStr {
    fn each_str(&self) -> [&str; 16];
}
impl EachStr for Vec<String> {
    fn each_str(&self) -> [&str; 16] {
        std::array::from_fn(|i| self[i].as_str())
    }
}

proptest! {
    #[test]
    fn any_record_is_one_line_that_reads_back_as_it_was(made in made()) {
        let line = made.encoded();
        prop_assert_eq!(line.iter().position(|b| *b == b'\n'), Some(line.len() - 1));
        let entry = Entry::parse(&line).unwrap();
        let texts = [
            &entry.request, &entry.trace, &entry.subject, &entry.method, &entry.token, &entry.http, &entry.target, &entry.module,
            &entry.version, &entry.query, &entry.sumdb, &made.texts[11], &entry.rule_id, &entry.policy, &entry.source, &entry.h1,
        ];
        prop_assert_eq!(texts.map(String::as_str), made.texts.each_str());
        prop_assert_eq!(&entry.rule, &format!("{}:{}", made.texts[11], made.line));
        let groups: Vec<String> = made.groups.iter().map(ToString::to_string).collect();
        prop_assert_eq!(&entry.groups, &groups);
        prop_assert_eq!([&entry.reason, &entry.path], [&made.texts[6], &made.texts[14]]);
        prop_assert_eq!(&entry.login, &made.texts[14]);
        prop_assert_eq!(entry.claims.get("run_id"), Some(&made.texts[3]));
        prop_assert_eq!(&entry.roles, &groups);
        prop_assert_eq!(&entry.warnings, &groups);
        prop_assert_eq!(entry.time, made.time);
        prop_assert_eq!((entry.kind, entry.decision, entry.cache), (made.kind, made.decision, made.cache));
        prop_assert_eq!(entry.status, made.status);
        prop_assert_eq!(entry.client, made.client.map(|ip| ip.to_canonical()));
        prop_assert_eq!(entry.peer, made.peer.map(|p| SocketAddr::new(p.ip().to_canonical(), p.port())));
        prop_assert_eq!(entry.detail, String::from_utf8_lossy(&made.detail));
    }

    #[test]
    fn the_time_is_what_jiff_prints(made in made()) {
        let value: Value = serde_json::from_slice(&made.encoded()).unwrap();
        prop_assert_eq!(value["time"].as_str().unwrap(), format!("{:.6}", made.time));
    }
}

/// A record as they typically are; its line is what `docs/audit.md` shows.
fn typical<'a>(groups: &'a [Arc<str>], roles: &'a [Arc<str>]) -> Record<'a> {
    Record {
        request: "01JDA2Z9K3V7Q4",
        groups,
        roles,
        method: "token",
        token: Some("3hK9vQz1LmXa"),
        peer: Some("10.0.3.7:51234".parse().unwrap()),
        client: Some("10.0.3.7".parse().unwrap()),
        target: Some(Target {
            verb: "GET",
            label: "zip",
            module: Some("github.com/BurntSushi/toml"),
            version: Some("v1.4.0"),
            ..Target::default()
        }),
        decision: Decision::Allow,
        rule: Some(RuleRef { file: "policies/policy.csv", line: 12, id: Some("dev") }),
        policy: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        status: Some(200),
        cache: Cache::Hit,
        source: Some("proxy.example"),
        h1: Some("h1:pbAoqzVQRZCgpNnHhQXl3LzwzXxIAFlvLCvPXbKtpQI="),
        ..Record::new("2026-11-22T12:31:22.000042Z".parse().unwrap(), Kind::Answered, "user:token/alice")
    }
}

#[test]
fn a_typical_record_is_this_very_line() {
    let (groups, roles) = (["group:corp/platform".into()], ["developer".into()]);
    let mut line = Vec::new();
    typical(&groups, &roles).encode(&mut line);
    let expected = concat!(
        r#"{"v":1,"time":"2026-11-22T12:31:22.000042Z","kind":"answered","request":"01JDA2Z9K3V7Q4","#,
        r#""subject":"user:token/alice","groups":["group:corp/platform"],"roles":["developer"],"method":"token","#,
        r#""token":"3hK9vQz1LmXa","peer":"10.0.3.7:51234","client":"10.0.3.7","http":"GET","target":"zip","#,
        r#""module":"github.com/BurntSushi/toml","version":"v1.4.0","decision":"allow","#,
        r#""rule":"policies/policy.csv:12","rule_id":"dev","#,
        r#""policy":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","status":200,"cache":"hit","#,
        r#""source":"proxy.example","h1":"h1:pbAoqzVQRZCgpNnHhQXl3LzwzXxIAFlvLCvPXbKtpQI="}"#,
        "\n"
    );
    assert_eq!(String::from_utf8(line).unwrap(), expected);
}

#[test]
fn an_act_is_the_systems_and_says_nothing_else() {
    let mut line = Vec::new();
    Record::act("2026-11-22T00:00:00Z".parse().unwrap(), "policy.refused", b"line 3: \xff").encode(&mut line);
    assert_eq!(
        serde_json::from_slice::<Value>(&line).unwrap(),
        json!({"v": 1, "time": "2026-11-22T00:00:00.000000Z", "kind": "act", "subject": "system",
               "act": "policy.refused", "detail": "line 3: \u{fffd}"})
    );
}
