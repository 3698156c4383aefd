use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const LIMITS: Limits = Limits { bytes: 1_000, time: Duration::from_secs(10), redirects: 3 };

/// A server on loopback that answers each path by a function and closes; and what it has heard.
struct Peer {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    async fn start(answer: impl Fn(&str, SocketAddr) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let known = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = vec![0; 4_096];
                let mut request = String::new();
                while !request.contains("\r\n\r\n") {
                    let read = stream.read(&mut bytes).await.unwrap_or_default();
                    if read == 0 {
                        break;
                    }
                    request.push_str(&String::from_utf8_lossy(&bytes[..read]));
                }
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                known.lock().unwrap().push(request);
                // Who gives up in the middle of an answer has closed.
                let _ = stream.write_all(&answer(&path, address)).await;
            }
        });
        Self { address, heard }
    }

    fn url(&self, host: &str, path: &str) -> Url {
        Url::parse(&format!("http://{host}:{}{path}", self.address.port())).unwrap()
    }

    fn heard(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into()
}

fn redirect(to: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .into()
}

fn allowing(networks: &[&str]) -> Policy {
    Policy { allow: networks.iter().map(|network| network.parse().unwrap()).collect() }
}

/// Names that mean, at each look-up, the next of these lists of addresses.
fn names(answers: &[&[&str]]) -> Lookup {
    let answers: Vec<Vec<SocketAddr>> = answers
        .iter()
        .map(|list| list.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect())
        .collect();
    let next = AtomicUsize::new(0);
    Arc::new(move |_| {
        let found = answers[next.fetch_add(1, Ordering::SeqCst) % answers.len()].clone();
        Box::pin(async move { Ok(found) })
    })
}

/// The kind of a refusal, without what it holds.
fn kind(result: Result<Answer, Refusal>) -> String {
    match result {
        Ok(answer) => answer.status.to_string(),
        Err(refusal) => {
            let text = format!("{refusal:?}");
            text.split(['(', ' ']).next().unwrap().to_owned()
        }
    }
}

/// Threat X1, hostile input 82: refused for what it is, not because nobody answered.
#[tokio::test]
async fn hostile_addresses_are_refused_before_a_dial() {
    let inside: Lookup = Arc::new(|name: String| {
        Box::pin(async move {
            let ip: IpAddr = match name.as_str() {
                "metadata.google.internal" => "169.254.169.254".parse().unwrap(),
                "x.localhost" | "localhost" => "127.0.0.1".parse().unwrap(),
                _ => return Err(std::io::Error::other("unknown")),
            };
            Ok(vec![SocketAddr::new(ip, 0)])
        })
    });
    let egress = Egress::with_lookup(Policy::default(), inside);
    for (url, wanted) in [
        ("https://127.0.0.1", "Private"),
        ("https://[::1]", "Private"),
        ("https://2130706433", "Private"),
        ("https://0x7f.1", "Private"),
        ("https://127.1", "Private"),
        ("https://0177.0.0.1", "Private"),
        ("https://127.0.0.1.", "Private"),
        ("https://[::ffff:10.0.0.1]", "Private"),
        ("https://[::ffff:8.8.8.8]", "Private"),
        ("https://[64:ff9b::a00:1]", "Private"),
        ("https://[2002:a00:1::]", "Private"),
        ("https://[fe80::1]", "Private"),
        ("https://[fd00::1]", "Private"),
        ("https://[::]", "Private"),
        ("https://[ff02::1]", "Private"),
        ("https://[2001:db8::1]", "Private"),
        ("https://169.254.169.254", "Private"),
        ("https://100.64.0.1", "Private"),
        ("https://255.255.255.255", "Private"),
        ("https://0", "Private"),
        ("https://metadata.google.internal", "Private"),
        ("https://x.localhost", "Private"),
        ("https://localhost", "Private"),
        ("https://ⓔxample.test", "Unresolved"),
        ("https://nobody.example", "Unresolved"),
        ("https://user@h.example", "Userinfo"),
        ("https://:secret@h.example", "Userinfo"),
        ("https://8.8.8.8:22", "Port"),
        ("http://8.8.8.8", "Scheme"),
        ("http://10.0.0.1", "Private"),
        ("file:///etc/passwd", "Scheme"),
        ("gopher://h.example/x", "Scheme"),
        ("ftp://h.example", "Scheme"),
        ("data:text/plain,x", "Scheme"),
    ] {
        let address = Url::parse(url).unwrap();
        assert_eq!(kind(egress.get(&address, LIMITS).await), wanted, "{url}");
        let form = egress.post_form(&address, &[("code", "x")], None, LIMITS).await;
        assert_eq!(kind(form), wanted, "{url}");
        let checked = egress.check(&address, LIMITS.time).await;
        assert!(checked.is_err(), "{url}");
    }
}

/// Threat X2: what a name meant a moment ago counts for nothing.
#[tokio::test]
async fn a_name_that_rebinds_is_refused() {
    let peer = Peer::start(|_, _| ok("{}")).await;
    let lookup =
        names(&[&["127.0.0.1"], &["10.0.0.1"], &["127.0.0.1", "10.0.0.1"], &["127.0.0.1"]]);
    let egress = Egress::with_lookup(allowing(&["127.0.0.0/8"]), lookup);
    let url = peer.url("rebinds.example", "/");
    assert_eq!(kind(egress.get(&url, LIMITS).await), "200");
    assert_eq!(kind(egress.get(&url, LIMITS).await), "Private");
    assert_eq!(kind(egress.get(&url, LIMITS).await), "Private");
    assert_eq!(peer.heard(), 1);
    assert_eq!(kind(egress.get(&url, LIMITS).await), "200");
    // A check is not believed later: the call looks again.
    let lookup = names(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let egress = Egress::with_lookup(allowing(&["127.0.0.0/8"]), lookup);
    assert!(egress.check(&url, LIMITS.time).await.is_ok());
    assert_eq!(kind(egress.get(&url, LIMITS).await), "Private");
    assert_eq!(peer.heard(), 2);
}

/// Plain http and other ports are for allowed addresses alone, whatever the name.
#[tokio::test]
async fn the_form_is_checked_with_the_address() {
    let to =
        |ip: &'static str| Egress::with_lookup(allowing(&["127.0.0.0/8"]), names(&[&[ip], &[ip]]));
    let get = |egress: Egress, url: &'static str| async move {
        kind(egress.get(&Url::parse(url).unwrap(), LIMITS).await)
    };
    assert_eq!(get(to("8.8.8.8"), "http://idp.example").await, "Scheme");
    assert_eq!(get(to("8.8.8.8"), "https://idp.example:8443").await, "Port");
    assert_eq!(get(to("10.0.0.1"), "https://idp.example:8443").await, "Private");
    // Allowed, and nobody there: a connection was tried.
    assert_eq!(get(to("127.0.0.1"), "http://idp.example:1").await, "Connect");
    assert_eq!(get(to("127.0.0.1"), "https://idp.example:1").await, "Connect");
}

#[tokio::test]
async fn redirects_stay_on_the_host_and_end() {
    let peer = Peer::start(|path, own| match path {
        "/once" => redirect("/there"),
        "/foreign" => redirect(&format!("http://localhost:{}/there", own.port())),
        "/inside" => redirect("http://10.0.0.1/there"),
        "/down" => redirect("file:///etc/passwd"),
        "/nowhere" => {
            b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()
        }
        "/loop" => redirect("/loop"),
        _ => ok("{}"),
    })
    .await;
    let egress = Egress::new(allowing(&["127.0.0.0/8"]));
    let url = |path: &str| peer.url("127.0.0.1", path);
    let landed = egress.get(&url("/once"), LIMITS).await.unwrap();
    assert_eq!(landed.url.path(), "/there");
    for path in ["/foreign", "/inside", "/down", "/nowhere", "/loop"] {
        assert_eq!(kind(egress.get(&url(path), LIMITS).await), "Redirect", "{path}");
    }
    // The loop is walked once and three times again.
    let loops = peer.heard.lock().unwrap().iter().filter(|r| r.contains(" /loop ")).count();
    assert_eq!(loops, 4);
    assert_eq!(kind(egress.get_as(&url("/once"), "token", LIMITS).await), "Redirect");
    assert_eq!(kind(egress.post_form(&url("/once"), &[], None, LIMITS).await), "Redirect");
}

/// Hostile input 60: too long, too slow, refused; what came back is in no text.
#[tokio::test]
async fn what_is_too_long_or_too_slow_is_given_up() {
    let peer = Peer::start(|path, _| match path {
        "/long" => ok(&"x".repeat(1_001)),
        "/fits" => ok(&"x".repeat(1_000)),
        "/chunks" => {
            let chunk = format!("100\r\n{}\r\n", "x".repeat(256));
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            format!("{head}{}0\r\n\r\n", chunk.repeat(5)).into()
        }
        // Half of an answer, and the connection breaks.
        "/half" => b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec(),
        "/failed" => {
            b"HTTP/1.1 500 x\r\nContent-Length: 7\r\nConnection: close\r\n\r\nhunter2".to_vec()
        }
        _ => ok("{}"),
    })
    .await;
    let egress = Egress::new(allowing(&["127.0.0.0/8"]));
    let get = async |path| egress.get(&peer.url("127.0.0.1", path), LIMITS).await;
    assert_eq!(kind(get("/long").await), "TooLarge");
    assert_eq!(kind(get("/chunks").await), "TooLarge");
    assert_eq!(kind(get("/fits").await), "200");
    assert_eq!(kind(get("/half").await), "Connect");
    let failed = get("/failed").await.unwrap_err();
    assert!(!format!("{failed} {failed:?}").contains("hunter2"), "{failed:?}");
    let Refusal::Status(answer) = failed else { panic!("{failed:?}") };
    assert_eq!((answer.status, answer.body.as_slice()), (500, b"hunter2".as_slice()));
}

/// A peer that never answers costs the time of the limits, and no more.
#[tokio::test]
async fn silence_ends_by_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let egress = Egress::new(allowing(&["127.0.0.0/8"]));
    let limits = Limits { time: Duration::from_millis(50), ..LIMITS };
    assert_eq!(kind(egress.get(&Url::parse(&url).unwrap(), limits).await), "Timeout");
    let never: Lookup = Arc::new(|_| Box::pin(std::future::pending()));
    let egress = Egress::with_lookup(Policy::default(), never);
    let url = Url::parse("https://idp.example").unwrap();
    assert_eq!(kind(egress.get(&url, limits).await), "Timeout");
    assert!(matches!(egress.check(&url, limits.time).await, Err(Refusal::Timeout(_))));
}

/// RFC 6749 §2.3.1 and RFC 6750 §2.1.
#[tokio::test]
async fn credentials_are_sent_as_the_standards_say() {
    let peer = Peer::start(|_, _| ok("{}")).await;
    let egress = Egress::new(allowing(&["127.0.0.0/8"]));
    let url = peer.url("127.0.0.1", "/token");
    let auth = Basic { user: "a:b", password: "c d+é" };
    egress.post_form(&url, &[("code", "x&y=z")], Some(auth), LIMITS).await.unwrap();
    egress.get_as(&url, "t0ken", LIMITS).await.unwrap();
    let heard = peer.heard.lock().unwrap();
    let basic = BASE64_STANDARD.encode("a%3Ab:c+d%2B%C3%A9");
    assert!(heard[0].contains(&format!("authorization: Basic {basic}")), "{}", heard[0]);
    assert!(heard[0].contains("application/x-www-form-urlencoded"), "{}", heard[0]);
    assert!(heard[1].contains("authorization: Bearer t0ken"), "{}", heard[1]);
}

/// Networks that are nobody's to reach, in the words of RFC 6890 and its registry.
const SPECIAL: [&str; 32] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/32",
    "2001:2::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

fn addresses() -> impl Strategy<Value = IpAddr> {
    let inside = (0..SPECIAL.len(), any::<u128>()).prop_map(|(which, bits)| {
        // Somewhere in a special network: its own bits, and any others behind them.
        match SPECIAL[which].parse::<IpNet>().unwrap() {
            IpNet::V4(net) => {
                let host = u32::try_from(bits & u128::from(u32::from(net.hostmask()))).unwrap();
                IpAddr::V4(Ipv4Addr::from(u32::from(net.network()) | host))
            }
            IpNet::V6(net) => IpAddr::V6(Ipv6Addr::from(
                u128::from(net.network()) | (bits & u128::from(net.hostmask())),
            )),
        }
    });
    let mapped = any::<u32>().prop_map(|bits| IpAddr::V6(Ipv4Addr::from(bits).to_ipv6_mapped()));
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6((bits >> 3 | 1 << 125).into())),
        inside,
        mapped,
    ]
}

proptest! {
    /// Whatever is dialled is public or allowed, and what is not allowed is dialled by https on 443 alone.
    #[test]
    fn dialled_implies_public_or_allowed(ip in addresses(), plain in any::<bool>(), allow in any::<bool>()) {
        let networks: &[&str] = if allow { &["10.0.0.0/8", "fd00::/8"] } else { &[] };
        let policy = allowing(networks);
        let special = SPECIAL.iter().any(|net| net.parse::<IpNet>().unwrap().contains(&ip));
        let allowed = policy.allow.iter().any(|net| net.contains(&ip) || net.contains(&ip.to_canonical()));
        prop_assert!(!(special && is_public(ip)), "{ip} is called public");
        if policy.check(ip, plain).is_ok() {
            prop_assert!(allowed || (plain && !special), "{ip} would be dialled");
        } else {
            prop_assert!(!allowed, "{ip} is allowed");
        }
    }
}

#[test]
fn the_internet_is_public() {
    for ip in ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::5e"] {
        assert!(is_public(ip.parse().unwrap()), "{ip}");
    }
}
