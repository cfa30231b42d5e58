//! A key management service inside the test process that speaks the protocol of AWS KMS (JSON 1.1): Encrypt, Decrypt and
//! DescribeKey, with encryption contexts, and policies for those who ask. What it hands out as sealed is a number; what
//! belongs to it stays in its memory, as a key stays in KMS.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::s3::{ACCESS_KEY, Asked, Principal, is_allowed};

#[derive(Debug, Default)]
struct State {
    /// Regions of the copies of each key; none for a key of one region.
    keys: BTreeMap<String, Vec<String>>,
    sealed: BTreeMap<Vec<u8>, Sealed>,
    principals: Vec<Principal>,
    asked: Vec<String>,
    /// What was unsealed, as it was on the wire.
    unsealed: Vec<String>,
}

#[derive(Clone, Debug)]
struct Sealed {
    key: String,
    context: Value,
    plain: Vec<u8>,
}

/// A running service; it ends when this is dropped.
#[derive(Debug)]
pub struct KmsServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

/// A refusal's type and message.
type Refused = (&'static str, &'static str);

impl KmsServer {
    /// Starts a service on a free port of the loopback interface.
    ///
    /// # Panics
    /// If no port can be had.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let state = shared.clone();
                let service = service_fn(move |request| answer(state.clone(), request));
                tokio::spawn(async move {
                    // A client that goes away is no matter for the server.
                    let _ = Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, state, task }
    }

    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a key, with copies in these regions besides.
    pub fn create_key(&self, arn: &str, copies: &[&str]) {
        let copies = copies.iter().map(|region| (*region).to_owned()).collect();
        self.state().keys.insert(arn.to_owned(), copies);
    }

    /// Lets somebody in who may do what their policies say.
    pub fn admit(&self, principal: Principal) {
        self.state().principals.push(principal);
    }

    /// The operations that were asked for since this was last called.
    #[must_use]
    pub fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().asked)
    }

    /// The secrets that were unsealed so far, in base64 as they were on the wire.
    #[must_use]
    pub fn unsealed(&self) -> Vec<String> {
        self.state().unsealed.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KmsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<String>, hyper::Error> {
    let header = |name: &str| {
        request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let operation = header("x-amz-target").strip_prefix("TrentService.").unwrap_or_default().to_owned();
    let credential = header("authorization").split("Credential=").nth(1).unwrap_or_default().to_owned();
    let scope: Vec<String> = credential.split(['/', ',']).map(str::to_owned).collect();
    let body = read(request.into_body()).await?;
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.asked.push(operation.clone());
    let (status, body) = match state.carry_out(&operation, &asked, &scope) {
        Ok(body) => (200, body),
        Err((kind, message)) => (400, json!({"__type": kind, "message": message})),
    };
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.1");
    Ok(response.body(body.to_string()).expect("an answer"))
}

async fn read(mut body: Incoming) -> Result<Bytes, hyper::Error> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}

impl State {
    fn carry_out(&mut self, operation: &str, asked: &Value, scope: &[String]) -> Result<Value, Refused> {
        let [access_key, _, region, service, ..] = scope else {
            return Err(("MissingAuthenticationTokenException", "the request is not signed"));
        };
        if service != "kms" {
            return Err(("InvalidSignatureException", "the signature is for another service"));
        }
        let text = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
        let bytes = |name: &str| BASE64.decode(text(name)).unwrap_or_default();
        let context = asked.get("EncryptionContext").cloned().unwrap_or(json!({}));
        let key = text("KeyId").to_owned();
        self.check(operation, access_key, region, &key, &context)?;
        // A key is known in its own region alone.
        let is_here = key.split(':').nth(3) == Some(region);
        let Some(copies) = self.keys.get(&key).filter(|_| is_here) else {
            return Err(("NotFoundException", "there is no such key here"));
        };
        match operation {
            "DescribeKey" => {
                let mut metadata = json!({"KeyId": key.rsplit('/').next(), "Arn": key, "Enabled": true,
                    "MultiRegion": !copies.is_empty()});
                if !copies.is_empty() {
                    let copies: Vec<Value> =
                        copies.iter().map(|region| json!({"Arn": key, "Region": region})).collect();
                    metadata["MultiRegionConfiguration"] = json!({"MultiRegionKeyType": "PRIMARY",
                        "PrimaryKey": {"Arn": key, "Region": region}, "ReplicaKeys": copies});
                }
                Ok(json!({"KeyMetadata": metadata}))
            }
            "Encrypt" => {
                let plain = bytes("Plaintext");
                if plain.is_empty() || plain.len() > 4096 {
                    return Err(("ValidationException", "1 to 4096 bytes"));
                }
                let sealed: [u8; 152] = std::array::from_fn(|_| rand::random());
                self.sealed.insert(sealed.to_vec(), Sealed { key: key.clone(), context, plain });
                Ok(json!({"KeyId": key, "CiphertextBlob": BASE64.encode(sealed)}))
            }
            "Decrypt" => match self.sealed.get(&bytes("CiphertextBlob")) {
                Some(sealed) if sealed.key != key => {
                    Err(("IncorrectKeyException", "another key has sealed it"))
                }
                Some(sealed) if sealed.context == context => {
                    let plain = BASE64.encode(&sealed.plain);
                    self.unsealed.push(plain.clone());
                    Ok(json!({"KeyId": key, "Plaintext": plain}))
                }
                _ => Err(("InvalidCiphertextException", "it cannot be opened")),
            },
            _ => Err(("UnknownOperationException", "not here")),
        }
    }

    fn check(
        &self,
        operation: &str,
        access_key: &str,
        region: &str,
        key: &str,
        context: &Value,
    ) -> Result<(), Refused> {
        let denied = ("AccessDeniedException", "no policy allows it");
        let Some(principal) = self.principals.iter().find(|one| one.access_key == access_key) else {
            return if access_key == ACCESS_KEY { Ok(()) } else { Err(denied) };
        };
        let mut asked = Asked::new(&format!("kms:{operation}"), key).with("aws:RequestedRegion", region);
        for (name, value) in context.as_object().into_iter().flatten() {
            asked = asked.with(&format!("kms:EncryptionContext:{name}"), value.as_str().unwrap_or_default());
        }
        if is_allowed(&principal.policies, &asked) { Ok(()) } else { Err(denied) }
    }
}
