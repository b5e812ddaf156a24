//! An object with websockets that does what it is told, for tests of the host.
//!
//! | request | does |
//! | --- | --- |
//! | an upgrade, with any path | accepts it: `?tags=A,B`, `&awake` for one that does not hibernate, `&greet=TEXT` is sent at once, `&protocol=NAME`, `&forget` accepts and answers 200 |
//! | `/list?tag=TAG` | a line for each websocket: `id state tags hibernates buffered attachment auto-response-time` |
//! | `/describe?id=ID` | such a line |
//! | `POST /send?tag=TAG` | sends the body to each |
//! | `POST /close?tag=TAG&code=CODE&reason=REASON` | closes each |
//! | `/log` | a line for each end of a websocket |
//! | `/life` | how many events this instance has had |
//! | `/auto?request=TEXT&response=TEXT` | sets the auto-response; without a request: clears it |
//! | `/settings` | the auto-response and the event timeout |
//! | `/timeout?ms=MS` | sets the event timeout |
//! | `/connect?url=AUTHORITY/PATH&tags=A&awake` | opens a websocket to a server, `ID STATUS PROTOCOL` |
//! | `/peer?class=CLASS&name=NAME&path=PATH` | opens a websocket to another object; `&pass-on` gives it to whoever asked |
//! | `/put` | writes, waits for a while, and so on: adds 1 to a number |
//!
//! On a websocket, texts that begin with `!` are told from those that are echoed:
//!
//! | message | does |
//! | --- | --- |
//! | `!life` | sends how many events this instance has had |
//! | `!add` | adds 1 to the number in the store and sends it |
//! | `!write BYTES` | stores so many, then sends `wrote` |
//! | `!sleep MS` | waits, then sends `slept MS` |
//! | `!attach TEXT`, `!attached` | leaves an attachment; sends it |
//! | `!tags` | sends the tags |
//! | `!retag A,B` | changes them |
//! | `!sleepy`, `!awake` | hibernates from now on, or not |
//! | `!close CODE REASON` | closes it |
//! | `!big BYTES` | sends a message of so many bytes |
//! | `!flood COUNT BYTES` | sends so many, waiting for none of them to be taken |
//! | `!steady COUNT BYTES` | sends so many, each when there is room |
//! | `!throw TEXT`, `!trap`, `!abort` | fails |
//! | `!write-then-abort` | adds 1, sends it, and aborts |

use std::cell::Cell;

use dohost::object::types::{Header, Request, Response};
use dohost::object::websockets::{self, AutoResponse, ConnectError, Message, Options};
use dohost::object::{namespace, state, storage};
use exports::dohost::object::handler::{Exception, Guest};
use exports::dohost::object::websocket_handler::{CloseInfo, Guest as WebSocketHandler};
use wasi::clocks::monotonic_clock;

wit_bindgen::generate!({
    inline: "
        package dohost:sockets;

        /// An object with websockets.
        world sockets {
            include dohost:object/object@0.1.0;
            import wasi:clocks/monotonic-clock@0.3.0;
            export dohost:object/websocket-handler@0.1.0;
        }
    ",
    path: "../../wit",
    world: "dohost:sockets/sockets",
    generate_all,
});

struct Sockets;

export!(Sockets);

const LOG: &str = "log";
const NUMBER: &str = "number";

thread_local! {
    static EVENTS: Cell<u32> = const { Cell::new(0) };
}

impl Guest for Sockets {
    async fn fetch(request: Request) -> Result<Response, Exception> {
        EVENTS.set(EVENTS.get() + 1);
        let query = request.query.clone().unwrap_or_default();
        let parameter = |name: &str| {
            let mut all = form_urlencoded::parse(query.as_bytes());
            all.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let options = Options { tags: tags(parameter("tags")), hibernates: parameter("awake").is_none() };
        if request.path != "/peer" && request.headers.iter().any(|header| header.name == "upgrade") {
            let accepted = match websockets::accept(&options) {
                Ok(accepted) => accepted,
                Err(error) => return Ok(text(400, &format!("{error:?}"))),
            };
            if let Some(greeting) = parameter("greet") {
                websockets::send(accepted.websocket, Message::Text(greeting)).await.map_err(refused)?;
            }
            if parameter("forget").is_some() {
                return Ok(text(200, "no websocket"));
            }
            let mut headers = vec![header("dohost-websocket", &accepted.client)];
            headers.extend(parameter("protocol").map(|name| header("sec-websocket-protocol", &name)));
            return Ok(Response { status: 101, headers, body: Vec::new() });
        }
        let body = match request.path.as_str() {
            "/list" => {
                let lines = websockets::sockets(parameter("tag").as_deref()).into_iter().map(described);
                lines.map(|line| line + "\n").collect()
            }
            "/describe" => described(parameter("id").and_then(|id| id.parse().ok()).unwrap_or_default()),
            "/send" => {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                for websocket in websockets::sockets(parameter("tag").as_deref()) {
                    websockets::send(websocket, Message::Text(body.clone())).await.map_err(refused)?;
                }
                "ok".into()
            }
            "/close" => {
                let code = parameter("code").map(|code| code.parse().expect("a number"));
                let reason = parameter("reason").unwrap_or_default();
                for websocket in websockets::sockets(parameter("tag").as_deref()) {
                    websockets::close(websocket, code, &reason).map_err(refused)?;
                }
                "ok".into()
            }
            "/log" => read(LOG).await?.unwrap_or_default(),
            "/life" => EVENTS.get().to_string(),
            "/auto" => {
                let response = parameter("response").unwrap_or_default();
                let pair = parameter("request").map(|request| AutoResponse { request, response });
                match websockets::set_auto_response(pair.as_ref()) {
                    Ok(()) => "ok".into(),
                    Err(error) => format!("{error:?}"),
                }
            }
            "/settings" => {
                let pair = websockets::get_auto_response();
                let pair = pair.map_or("none".into(), |pair| format!("{} -> {}", pair.request, pair.response));
                format!("{pair}, {:?}", websockets::get_event_timeout())
            }
            "/timeout" => {
                let ms = parameter("ms").map(|ms| ms.parse().expect("a number"));
                match websockets::set_event_timeout(ms) {
                    Ok(()) => "ok".into(),
                    Err(error) => format!("{error:?}"),
                }
            }
            "/connect" => {
                let url = parameter("url").unwrap_or_default();
                let (authority, path) = url.split_once('/').unwrap_or((&url, ""));
                let mut headers = Vec::new();
                headers.extend(parameter("protocol").map(|name| header("sec-websocket-protocol", &name)));
                let request = Request {
                    method: "GET".into(),
                    scheme: "ws".into(),
                    authority: authority.into(),
                    path: format!("/{path}"),
                    query: None,
                    headers,
                    body: Vec::new(),
                };
                match websockets::connect(request, options).await {
                    Ok(connected) => {
                        let description = websockets::describe(connected.websocket).map_err(refused)?;
                        let status = connected.response.status;
                        format!("{} {status} {} {}", connected.websocket, description.url, description.protocol)
                    }
                    Err(ConnectError::Refused(error)) => format!("refused: {error:?}"),
                    Err(ConnectError::Failed(error)) => format!("failed: {error:?}"),
                    Err(ConnectError::Answered(response)) => format!("answered: {}", response.status),
                }
            }
            "/peer" => {
                let of = |name: &str| parameter(name).unwrap_or_default();
                let stub = namespace::get_by_name(&of("class"), &of("name")).map_err(|error| format!("{error:?}"))?;
                let request = Request {
                    method: "GET".into(),
                    scheme: "http".into(),
                    authority: "object".into(),
                    path: of("path"),
                    query: None,
                    headers: vec![header("upgrade", "websocket")],
                    body: Vec::new(),
                };
                let response = stub.fetch(request).await.map_err(|error| error.message)?;
                let is_client = |header: &&Header| header.name == "dohost-websocket";
                let client = response.headers.iter().find(is_client).ok_or("no websocket in the response")?;
                let client = String::from_utf8_lossy(&client.value).into_owned();
                if parameter("pass-on").is_some() {
                    return Ok(response);
                }
                let websocket = websockets::connect_client(&client, &options).map_err(refused)?;
                let again = websockets::connect_client(&client, &options);
                format!("{websocket} {again:?}")
            }
            "/put" => add().await?.to_string(),
            _ => return Ok(text(404, "Not found")),
        };
        Ok(text(200, &body))
    }
}

impl WebSocketHandler for Sockets {
    async fn on_message(websocket: u64, message: Message) -> Result<(), Exception> {
        EVENTS.set(EVENTS.get() + 1);
        let command = match &message {
            Message::Text(text) => text.strip_prefix('!'),
            Message::Binary(_) => None,
        };
        let Some(command) = command else {
            return websockets::send(websocket, message).await.map_err(refused);
        };
        let (command, argument) = command.split_once(' ').unwrap_or((command, ""));
        let numbers = || argument.split(' ').map(|number| number.parse::<u64>().expect("a number")).collect::<Vec<_>>();
        let say = async |text: String| websockets::send(websocket, Message::Text(text)).await.map_err(refused);
        match command {
            "life" => say(EVENTS.get().to_string()).await?,
            "add" => say(add().await?.to_string()).await?,
            "write" => {
                storage::put("large".into(), vec![b'x'; numbers()[0] as usize]).await.map_err(|e| format!("{e:?}"))?;
                say("wrote".into()).await?;
            }
            "sleep" => {
                monotonic_clock::wait_for(numbers()[0] * 1_000_000).await;
                say(format!("slept {argument}")).await?;
            }
            "attach" => match websockets::set_attachment(websocket, Some(argument.as_bytes())) {
                Ok(()) => say("ok".into()).await?,
                Err(error) => say(format!("{error:?}")).await?,
            },
            "attach-bytes" => {
                let bytes = vec![b'x'; numbers()[0] as usize];
                say(format!("{:?}", websockets::set_attachment(websocket, Some(&bytes)))).await?;
            }
            "attached" => {
                let attached = websockets::attachment(websocket).map_err(refused)?;
                say(attached.map_or("none".into(), |bytes| String::from_utf8_lossy(&bytes).into_owned())).await?;
            }
            "tags" => say(websockets::describe(websocket).map_err(refused)?.tags.join(",")).await?,
            "retag" => {
                let options = Options { tags: tags(Some(argument.into())), hibernates: true };
                say(format!("{:?}", websockets::set_options(websocket, &options))).await?;
            }
            "sleepy" | "awake" => {
                let tags = websockets::describe(websocket).map_err(refused)?.tags;
                let options = Options { tags, hibernates: command == "sleepy" };
                websockets::set_options(websocket, &options).map_err(refused)?;
                say("ok".into()).await?;
            }
            "close" => {
                let (code, reason) = argument.split_once(' ').unwrap_or((argument, ""));
                let code = Some(code).filter(|code| !code.is_empty()).map(|code| code.parse().expect("a code"));
                if let Err(error) = websockets::close(websocket, code, reason) {
                    say(format!("{error:?}")).await?;
                } else if let Err(error) = websockets::send(websocket, Message::Text("late".into())).await {
                    append(LOG, &format!("late: {error:?}")).await?;
                }
            }
            "big" => say("x".repeat(numbers()[0] as usize)).await?,
            "flood" => {
                let text = "x".repeat(numbers()[1] as usize);
                for _ in 0..numbers()[0] {
                    let message = Message::Text(text.clone());
                    wit_bindgen::spawn_local(async move { drop(websockets::send(websocket, message).await) });
                }
            }
            "steady" => {
                let text = "x".repeat(numbers()[1] as usize);
                for _ in 0..numbers()[0] {
                    websockets::send(websocket, Message::Text(text.clone())).await.map_err(refused)?;
                }
                say("done".into()).await?;
            }
            "throw" => return Err(argument.into()),
            "trap" => panic!("told to"),
            "abort" => state::abort(Some("told to")),
            "write-then-abort" => {
                say(add().await?.to_string()).await?;
                state::abort(Some("told to"));
            }
            other => return Err(format!("no command {other}")),
        }
        Ok(())
    }

    async fn on_close(websocket: u64, info: CloseInfo) -> Result<(), Exception> {
        EVENTS.set(EVENTS.get() + 1);
        let CloseInfo { code, reason, was_clean } = info;
        let described = described(websocket);
        append(LOG, &format!("close {code} {reason:?} {was_clean} [{described}]")).await
    }

    async fn on_error(websocket: u64, reason: String) -> Result<(), Exception> {
        EVENTS.set(EVENTS.get() + 1);
        append(LOG, &format!("error {reason:?} [{}]", described(websocket))).await
    }
}

fn described(websocket: u64) -> String {
    let description = match websockets::describe(websocket) {
        Ok(description) => description,
        Err(error) => return format!("{error:?}"),
    };
    let attachment = websockets::attachment(websocket).ok().flatten();
    let attachment = attachment.map_or("none".into(), |bytes| String::from_utf8_lossy(&bytes).into_owned());
    let state = format!("{:?}", description.state).to_lowercase();
    let state = state.rsplit("::").next().unwrap_or_default();
    let time = description.auto_response_time.map_or("none".to_string(), |ms| ms.to_string());
    let (tags, hibernates, buffered) = (description.tags.join(","), description.hibernates, description.buffered);
    format!("{websocket} {state} {tags} {hibernates} {buffered} {attachment} {time}")
}

fn tags(list: Option<String>) -> Vec<String> {
    let list = list.unwrap_or_default();
    list.split(',').filter(|tag| !tag.is_empty()).map(str::to_string).collect()
}

async fn add() -> Result<u64, Exception> {
    let number = read(NUMBER).await?.map_or(0, |text| text.parse::<u64>().expect("a number")) + 1;
    put(NUMBER, &number.to_string()).await?;
    Ok(number)
}

async fn append(key: &str, line: &str) -> Result<(), Exception> {
    let before = read(key).await?.unwrap_or_default();
    put(key, &format!("{before}{line}\n")).await
}

async fn read(key: &str) -> Result<Option<String>, Exception> {
    let value = storage::get(key.to_string()).await.map_err(|error| format!("{error:?}"))?;
    Ok(value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

async fn put(key: &str, value: &str) -> Result<(), Exception> {
    storage::put(key.to_string(), value.as_bytes().to_vec()).await.map_err(|error| format!("{error:?}"))
}

fn refused(error: websockets::Error) -> Exception {
    format!("{error:?}")
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.into(), value: value.as_bytes().to_vec() }
}

fn text(status: u16, body: &str) -> Response {
    Response { status, headers: vec![header("content-type", "text/plain; charset=utf-8")], body: body.into() }
}
