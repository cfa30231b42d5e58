use super::*;

/// Each operation of the trait once; the object is there before and afterwards.
async fn each_operation(server: &S3Server, store: &ResilientStore, fault: Fault, times: usize) {
    let (object, body) = (name("object"), content(1000));
    let inject = |operation| {
        server.recover();
        let _ = server.take_seen();
        server.inject(fault, Requests::first(times).of(operation));
    };
    let count = |operation: &str| {
        let seen = server.take_seen();
        assert_eq!(of(&seen, operation).len(), times + 1, "{fault:?} {operation}");
        assert_eq!(seen.len(), times + 1, "{fault:?}: nothing but {operation} was sent");
    };
    inject("PutObject");
    store.put(&object, body.clone()).await.expect("put");
    count("PutObject");
    inject("GetObject");
    assert_eq!(read(store, "object").await.expect("get"), body);
    count("GetObject");
    inject("ListObjectsV2");
    assert_eq!(names(store, "obj").await.expect("list"), ["object"]);
    count("ListObjectsV2");
    inject("DeleteObject");
    store.delete(&name("another")).await.expect("delete");
    count("DeleteObject");
    // Answers to HEAD have no body, so that a 400 says nothing of its reason.
    if !matches!(fault, Fault::RequestTimeout | Fault::ExpiredCredentials) {
        inject("HeadObject");
        assert_eq!(store.head(&object).await.expect("head").map(|info| info.len), Some(1000));
        count("HeadObject");
    }
    server.recover();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_by_is_waited_for() {
    let (server, store) = world().await;
    for fault in [
        Fault::SlowDown,
        Fault::TooManyRequests,
        Fault::InternalError,
        Fault::RequestTimeout,
        Fault::ExpiredCredentials,
        Fault::LostAnswer,
        Fault::WrongAnswer,
    ] {
        each_operation(&server, &store, fault, 1).await;
        each_operation(&server, &store, fault, 6).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_is_said_at_once() {
    let (server, store) = world().await;
    store.put(&name("object"), content(10)).await.expect("put");
    let _ = server.take_seen();
    for (fault, expected) in [
        (Fault::AccessDenied, "check the credentials"),
        (Fault::ClockSkew, "clock"),
        (Fault::WrongRegion, "region"),
    ] {
        server.inject(fault, Requests::all());
        let errors = [
            read(&store, "object").await.expect_err("get"),
            names(&store, "").await.expect_err("list"),
            store.put(&name("object"), content(11)).await.expect_err("put"),
            store.put_if_absent(&name("new"), content(11)).await.expect_err("put if absent"),
            store.delete(&name("object")).await.expect_err("delete"),
        ];
        for error in errors {
            let hint = error.hint().expect("a hint");
            assert!(!error.is_retryable() && hint.contains(expected), "{fault:?}: {error}, {hint}");
            let kind = match fault {
                Fault::AccessDenied => matches!(error, Error::Denied { .. }),
                Fault::ClockSkew => matches!(error, Error::ClockSkew { .. }),
                _ => matches!(error, Error::WrongRegion { .. }),
            };
            assert!(kind, "{error:?}");
        }
        server.recover();
        assert_eq!(server.take_seen().len(), 5, "{fault:?}: each request was sent once");
    }
    assert!(matches!(read(&store, "nowhere").await, Err(Error::NotFound { .. })));
    assert_eq!(server.take_seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_pass_is_given_up_with_its_cause() {
    let (server, store) = world_with(RetryPolicy { deadline: Duration::from_millis(40), ..policy() }).await;
    for fault in [Fault::SlowDown, Fault::InternalError, Fault::ExpiredCredentials, Fault::LostAnswer] {
        server.inject(fault, Requests::all());
        let _ = server.take_seen();
        let error = read(&store, "object").await.expect_err("gives up");
        let sent = server.take_seen().len();
        let Error::GaveUp { attempts, cause, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*attempts as usize, sent);
        assert!(sent > 1 && error.hint().is_some() && !error.is_retryable(), "{error}");
        let kind = match fault {
            Fault::SlowDown => matches!(**cause, Error::Throttled { .. }),
            Fault::ExpiredCredentials => matches!(**cause, Error::ExpiredCredentials { .. }),
            _ => matches!(**cause, Error::Failed { retryable: true, .. }),
        };
        assert!(kind, "{cause:?}");
        server.recover();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_goes_on_at_the_page_that_failed() {
    let (server, store) = world().await;
    let mut expected: Vec<String> = (0..2500).map(|number| format!("list/{number}")).collect();
    expected.sort();
    for object in &expected {
        store.put(&name(object), Bytes::from_static(b"x")).await.expect("put");
    }
    for fault in
        [Fault::SlowDown, Fault::LostAnswer, Fault::ResetMidBody { at: 1000 }, Fault::ShortBody { at: 1000 }]
    {
        server.recover();
        let _ = server.take_seen();
        server.inject(fault, Requests::nth(2).of("ListObjectsV2"));
        assert_eq!(names(&store, "list/").await.expect("list"), expected, "{fault:?}");
        assert_eq!(server.take_seen().len(), 4, "{fault:?}: three pages, one of them twice");
    }
}
