//! Begins an upload in parts and never finishes it, for tests: arguments are a bucket and a key. Lethe itself uploads nothing in
//! parts.

mod client;

use std::error::Error;

use aws_sdk_s3::primitives::ByteStream;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let bucket = arguments.next().ok_or("which bucket?")?;
    let key = arguments.next().ok_or("which key?")?;
    let client = client::connect().await?;
    let begun = client.create_multipart_upload().bucket(&bucket).key(&key).send().await?;
    let id = begun.upload_id().ok_or("the server names no upload")?;
    let part = client.upload_part().bucket(bucket).key(key).upload_id(id).part_number(1);
    part.body(ByteStream::from_static(b"the first part")).send().await?;
    Ok(())
}
