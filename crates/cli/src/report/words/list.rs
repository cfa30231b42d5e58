//! The list: a key, the English text, the Danish one. `{}` stands for a value.

macro_rules! words {
    ($($key:ident: $english:literal, $danish:literal;)*) => {
        /// The texts of one language.
        #[derive(Debug)]
        pub(crate) struct Words {
            $(pub(in crate::report) $key: &'static str,)*
        }
        pub(super) static EN: Words = Words { $($key: $english,)* };
        pub(super) static DA: Words = Words { $($key: $danish,)* };
        #[cfg(test)]
        pub(in crate::report) const ALL: &[(&str, &str, &str)] =
            &[$((stringify!($key), $english, $danish),)*];
    };
}

words! {
    // Every page.
    made_at: "This page was made at", "Siden er lavet";
    made_by: "By", "Af";
    store: "Store", "Lager";
    repository: "Repository", "Sikkerhedskopiernes id";
    all_times_are_utc: "All times are UTC. Quotations are the words of the program or of a server.",
        "Alle tider er UTC. Citater er programmets eller en servers egne ord, på engelsk.";
    nothing: "not known, or not applicable", "ukendt eller ikke relevant";
    cut: "Shows the first {} of {}. The JSON of this report has all of them.",
        "Viser de første {} af {}. Rapporten som JSON har dem alle.";
    until: "{}, until {}", "{}, indtil {}";
    unreadable: "Reports that nobody vouches for, or that are damaged, and that are not counted here: {}",
        "Rapporter, som ingen står inde for, eller som er beskadigede, og som ikke er talt med her: {}";
    report_id: "Report", "Rapport";
    snapshot: "Snapshot", "Snapshot";
    taken_at: "Taken at", "Taget";
    finished_at: "Finished at", "Afsluttet";
    begun_at: "Begun at", "Begyndt";
    ledger_entry: "Ledger entry", "Post i sletteregistret";
    ledger_hash: "Hash of the entry", "Postens kontrolsum";
    bytes_stored: "Size, as stored", "Størrelse, som gemt";
    bytes_plain: "Size of the rows", "Rækkernes størrelse";
    program_of_the_run: "Program", "Program, der udførte det";
    on_this_machine: "on this machine", "på denne maskine";
    production: "production", "produktion";
    staging: "staging", "afprøvning";
    for_drills: "drills", "øvelser";

    // Stages.
    stages: "Stages", "Etaper";
    stages_plot: "How long each stage took", "Hvor længe hver etape varede";
    stages_table: "Stages, counted from the start", "Etaper, regnet fra begyndelsen";
    stage: "Stage", "Etape";
    from: "From", "Fra";
    to: "To", "Til";
    took: "Took", "Varede";
    stage_plan: "Plan: who must not come back", "Plan: hvem der ikke må komme tilbage";
    stage_load: "Load: the rows", "Indlæsning: rækkerne";
    stage_finish: "Finish: until ready", "Færdiggørelse: indtil klar";
    stage_verify: "Verify: until verified", "Efterprøvning: indtil bekræftet";
    stage_leftovers: "Remove what earlier drills left", "Fjern, hvad tidligere øvelser efterlod";
    stage_choose: "Choose the snapshot", "Vælg snapshottet";
    stage_place: "Start a server", "Start en server";
    stage_restore: "Restore", "Gendannelse";
    stage_check: "Check", "Kontrol";
    stage_compare: "Compare with the live source", "Sammenligning med den levende kilde";
    stage_search: "Search the files", "Gennemsøgning af filerne";
    stage_remove: "Remove everything", "Fjern det hele";

    // Restore.
    restore_title: "Report of a restore", "Rapport om en gendannelse";
    restore_lead: "What was brought back from a backup, how long that took, and which rows stayed behind because somebody asked to be erased.",
        "Hvad der blev hentet tilbage fra en sikkerhedskopi, hvor lang tid det tog, og hvilke rækker der blev udeladt, fordi nogen har bedt om at blive slettet.";
    verified_verdict: "Verified", "Bekræftet";
    ready_after: "Ready after", "Klar efter";
    verified_after: "Verified after", "Bekræftet efter";
    rows_loaded: "Rows loaded", "Indlæste rækker";
    rows_dropped: "Rows left out", "Udeladte rækker";
    what_was_restored: "What was restored", "Hvad der blev gendannet";
    restored_alone: "Restored alone; all rows of others count as left out", "Gendannet alene; alle andres rækker tæller som udeladte";
    label_of_restore: "What the database is for", "Hvad databasen er til";
    masked_columns: "Columns masked for everybody", "Kolonner maskeret for alle";
    masked_rows: "Rows of tables that are masked", "Rækker i tabeller, der er maskeret";
    masked_compared: "Values of masked columns read back; none of them is one that is stored", "Værdier i maskerede kolonner læst igen; ingen af dem er en, der er gemt";
    target: "Target server, by its label", "Målserver, efter dens mærke";
    peak_memory: "Most memory used", "Højeste hukommelsesforbrug";
    restore_stages_text: "Ready: applications could connect. Verified: the server had looked at every constraint again, and no erased key was found. A restore that was interrupted and run again counts from the start of its last run.",
        "Klar: programmer kunne forbinde sig. Bekræftet: serveren havde set på alle betingelser igen, og ingen slettet nøgle blev fundet. En gendannelse, som blev afbrudt og kørt igen, regnes fra begyndelsen af sin sidste kørsel.";
    bytes_of_rows: "Size of rows", "Rækkernes omfang";
    rate_plain: "Rows’ bytes a second", "Rækkernes byte pr. sekund";
    rate_stored: "Stored bytes a second", "Gemte byte pr. sekund";
    rate_rows: "Rows a second", "Rækker pr. sekund";
    until_ready: "All, until ready", "Alt, indtil klar";
    rates_text: "Bytes are counted for loading, where every row passes once. What planning and verifying read besides is not counted.",
        "Byte tælles under indlæsningen, hvor hver række kommer forbi én gang. Hvad planlægning og efterprøvning desuden læser, tælles ikke.";
    rows: "Rows", "Rækker";
    rows_text: "Every row that was read was either loaded or left out. Of those left out, the target server never received the ones under “never sent”.",
        "Hver række, der blev læst, blev enten indlæst eller udeladt. Af de udeladte har målserveren aldrig modtaget dem, der står under »aldrig sendt«.";
    drill_rows_text: "Rows in the snapshot must equal rows read, rows read must equal loaded and left out together, and the server must count what was loaded.",
        "Rækkerne i snapshottet skal svare til de læste, de læste til de indlæste og udeladte tilsammen, og serveren skal tælle lige så mange, som der blev indlæst.";
    rows_table: "Rows of each table", "Rækker i hver tabel";
    table: "Table", "Tabel";
    all_tables: "All tables", "Alle tabeller";
    in_snapshot: "In the snapshot", "I snapshottet";
    read: "Read", "Læst";
    loaded: "Loaded", "Indlæst";
    dropped: "Left out", "Udeladt";
    never_loaded: "of these never sent", "heraf aldrig sendt";
    taken_back: "of these taken back late", "heraf taget tilbage senere";
    changed: "Changed", "Ændret";
    counted_by_server: "Counted by the server", "Talt af serveren";
    late_text: "Rows that had been loaded when the erasure arrived: {}. Their tables were emptied and loaded again. They are in none of the tables’ files, but in the server’s write-ahead log until it is recycled.",
        "Rækker, der var indlæst, da sletningen kom: {}. Deres tabeller blev tømt og indlæst igen. De findes ikke i tabellernes filer, men i serverens transaktionslog, indtil den genbruges.";
    acknowledged: "Objections that somebody answered for", "Indvendinger, som nogen har taget ansvaret for";
    acknowledged_text: "Each of these would have stopped the restore. Whoever ran it said that it should go on all the same.",
        "Hver af disse ville have standset gendannelsen. Den, der kørte den, sagde, at den skulle fortsætte alligevel.";
    none_acknowledged: "None: nothing spoke against this restore.", "Ingen: intet talte imod denne gendannelse.";
    objection_capture_lag: "Deletions may not have reached the ledger:", "Sletninger er måske ikke nået frem til sletteregistret:";
    objection_unknown_reference: "A rule about what this snapshot does not have:", "En regel om noget, som dette snapshot ikke har:";
    objection_unclassified: "Columns that may refer to people and of which nobody has said so:",
        "Kolonner, der måske henviser til personer, og som ingen har taget stilling til:";
    objection_large_objects: "Large objects of which nothing says whose they are:",
        "Store objekter, som intet siger, hvem der ejer:";
    objection_schema_text: "The schema itself names somebody who is erased:", "Selve skemaet nævner en, der er slettet:";
    kept_rows: "Rows that stay by decision", "Rækker, der bliver efter beslutning";
    kept_rows_text: "Rows that refer to erased people by these references stay as they are, as somebody has decided, for this reason.",
        "Rækker, der henviser til slettede personer på denne måde, bliver, som de er; det har nogen besluttet af denne grund.";
    kept_rows_table: "References by which rows stay", "Henvisninger, hvis rækker bliver";
    reference: "Reference", "Henvisning";
    stale: "Columns that may be stale", "Kolonner, der måske ikke passer længere";
    stale_text: "An application keeps these up itself, from rows of which some did not come back. Nothing computes them anew but the application.",
        "Dem holder et program selv ajour ud fra rækker, hvoraf nogle ikke kom tilbage. Kun programmet kan beregne dem på ny.";
    stale_table: "Columns that tell of other rows", "Kolonner, der fortæller om andre rækker";
    stale_counter: "counts or sums up rows that are gone", "tæller eller summerer rækker, der er væk";
    stale_search: "is searched in instead of rows that are gone", "gennemsøges i stedet for rækker, der er væk";
    column: "Column", "Kolonne";
    why: "Why", "Hvorfor";
    objects_stored: "Large objects in the snapshot", "Store objekter i snapshottet";
    objects_restored: "of these restored", "heraf gendannet";
    objects_of_dropped: "of these with rows that were left out", "heraf med rækker, der blev udeladt";
    objects_unreferenced: "of these with no row that refers to them", "heraf uden rækker, der henviser til dem";
    objection_other: "Another objection:", "En anden indvending:";

    // Drill.
    drill_title: "Report of a drill", "Rapport om en øvelse";
    drill_lead: "A drill restores a snapshot into a server that is thrown away, checks what came of it and measures how long it took.",
        "En øvelse gendanner et snapshot på en server, der smides væk, kontrollerer resultatet og måler, hvor lang tid det tog.";
    drill_passed: "Passed", "Bestået";
    drill_failed: "Failed", "Ikke bestået";
    passed: "passed", "bestået";
    failed: "failed", "ikke bestået";
    age_of_data: "Age of the data (RPO)", "Dataenes alder (RPO)";
    reasons: "Why", "Hvorfor";
    no_reason: "Everything was restored, every check was met, and nothing of it is left.",
        "Alt blev gendannet, alle krav blev opfyldt, og intet af det er efterladt.";
    notes: "What it does not show", "Hvad den ikke viser";
    what_was_tried: "What was tried", "Hvad der blev prøvet";
    restored_into: "Restored into", "Gendannet på";
    checks: "Checks", "Krav";
    checks_text: "One by one, those included that found nothing.", "Ét for ét, også dem, der intet fandt.";
    checks_table: "Checks of this drill", "Krav i denne øvelse";
    check: "What was checked", "Hvad der blev kontrolleret";
    result: "Result", "Resultat";
    detail: "In detail", "Nærmere";
    met: "met", "opfyldt";
    not_met: "not met", "ikke opfyldt";
    not_carried_out: "not carried out", "ikke udført";
    check_rows: "Rows of every table", "Rækker i hver tabel";
    check_rows_detail: "Tables: {}", "Tabeller: {}";
    check_erased: "No erased person’s key in any table that an erasure touches", "Ingen slettet persons nøgle i nogen tabel, som en sletning berører";
    check_erased_detail: "Read back from the server", "Læst tilbage fra serveren";
    check_constraints: "Constraints", "Betingelser";
    check_constraints_detail: "Valid: {}; no longer valid: {}", "Gyldige: {}; ikke længere gyldige: {}";
    check_indexes: "Indexes against their tables", "Indekser mod deres tabeller";
    check_indexes_detail: "In agreement: {}; damaged or invalid: {}; of kinds that cannot be checked: {}",
        "I overensstemmelse: {}; beskadigede eller ugyldige: {}; af slags, der ikke kan kontrolleres: {}";
    check_canaries: "Strings of erased test people in the server’s files", "Slettede prøvepersoners tekster i serverens filer";
    check_canaries_detail: "Files: {}; size: {}; files with something of an erased one: {}; living ones found: {} of {}",
        "Filer: {}; størrelse: {}; filer med noget fra en slettet: {}; levende fundet: {} ud af {}";
    own_check: "A check of your own", "Et af jeres egne krav";
    own_check_different: "A check of your own: the answer was another one", "Et af jeres egne krav: svaret var et andet";
    check_removed: "Everything removed afterwards", "Alt fjernet bagefter";
    history: "The last drills", "De seneste øvelser";
    history_text: "How long a restore would have taken, drill by drill. The age of the data is what would have been lost.",
        "Hvor lang tid en gendannelse ville have taget, øvelse for øvelse. Dataenes alder er det, der ville være gået tabt.";
    history_table: "The last drills, newest first", "De seneste øvelser, nyeste øverst";
    course_plot: "Time until ready and until verified", "Tid indtil klar og indtil bekræftet";
    course_text: "Drills: {}; passed: {}; longest time: {}; newest one: ready after {}, verified after {}",
        "Øvelser: {}; bestået: {}; længste tid: {}; den nyeste: klar efter {}, bekræftet efter {}";
    course_ready: "until ready", "indtil klar";
    course_verified: "until verified", "indtil bekræftet";
    course_failed: "failed", "ikke bestået";
    why_not_ended: "It did not come to its end. Where it stopped: {}.", "Den nåede ikke til ende. Hvor den standsede: {}.";
    why_objection: "An objection to the restore:", "En indvending mod gendannelsen:";
    why_constraint: "This constraint is not valid: {}", "Denne betingelse er ikke gyldig: {}";
    why_no_constraint: "No constraint was looked at.", "Ingen betingelse blev kontrolleret.";
    why_damaged: "This index does not agree with its table: {}", "Dette indeks stemmer ikke med sin tabel: {}";
    why_invalid: "This index is marked as not to be used: {}", "Dette indeks er mærket som ubrugeligt: {}";
    why_no_index: "No index was looked at.", "Intet indeks blev kontrolleret.";
    why_different: "A check of your own was answered differently: {}", "Et af jeres egne krav fik et andet svar: {}";
    why_refused: "A check of your own could not be answered: {}.", "Et af jeres egne krav kunne ikke besvares: {}.";
    why_canary: "A file holds something of an erased test person: {}", "En fil rummer noget fra en slettet prøveperson: {}";
    why_no_control: "The search of the files has nothing to show that it works: name living test people.",
        "Gennemsøgningen af filerne har intet, der viser, at den virker: nævn levende prøvepersoner.";
    why_control: "The search found {} of the {} test people who are there, so it shows nothing of the others.",
        "Gennemsøgningen fandt {} af de {} prøvepersoner, der er der, så den viser intet om de andre.";
    why_left: "What was restored is still there:", "Det gendannede ligger der endnu:";
    why_read: "{}: rows in the snapshot {}, read {}", "{}: rækker i snapshottet {}, læst {}";
    why_sum: "{}: rows read {}, loaded {}, left out {}", "{}: rækker læst {}, indlæst {}, udeladt {}";
    why_found: "{}: rows loaded {}, found by the server {}", "{}: rækker indlæst {}, fundet af serveren {}";
    note_not_valid: "Not valid in the source either, and so not checked: {}", "Heller ikke gyldige i kilden, og derfor ikke kontrolleret: {}";
    note_no_amcheck: "No index was checked: the server does not have the extension amcheck.",
        "Intet indeks blev kontrolleret: serveren har ikke udvidelsen amcheck.";
    note_not_checked: "Indexes of kinds that amcheck does not know: {}", "Indekser af slags, som amcheck ikke kender: {}";
    note_no_canaries: "The server’s files were not searched for test people: the settings name none, or the server is not one of the drill’s own.",
        "Serverens filer blev ikke gennemsøgt for prøvepersoner: indstillingerne nævner ingen, eller serveren er ikke øvelsens egen.";
    note_no_source: "Not compared with the live source:", "Ikke sammenlignet med den levende kilde:";
    note_differs: "{}: rows here {}, in the source {}", "{}: rækker her {}, i kilden {}";
    note_estimated: "{}: rows here {}, in the source about {}", "{}: rækker her {}, i kilden omtrent {}";
    note_not_in_source: "{}: not in the source any more", "{}: findes ikke længere i kilden";

    // Retention.
    retention_title: "Report on retention", "Rapport om opbevaring";
    retention_lead: "How old the backups are, what keeps them, and what was let go.",
        "Hvor gamle sikkerhedskopierne er, hvad der holder på dem, og hvad der er fjernet.";
    nothing_beyond: "Nothing is older than {}", "Intet er ældre end {}";
    nothing_beyond_but_held: "Nothing is older than {}, but for snapshots that somebody holds: {}",
        "Intet er ældre end {}, bortset fra snapshots, som nogen fastholder: {}";
    something_beyond: "Older than {}: {}", "Ældre end {}: {}";
    snapshots_stored: "Snapshots stored", "Gemte snapshots";
    oldest_byte: "Oldest byte of a snapshot", "Ældste byte i et snapshot";
    limit: "Promised at most", "Lovet højst";
    last_prune: "Last prune", "Seneste oprydning";
    beyond_heading: "Beyond the limit", "Over grænsen";
    beyond_text: "These stay though their time is over. Each names what to do.", "Disse bliver, selv om deres tid er forbi. Ved hver står, hvad der skal gøres.";
    nothing_beyond_text: "Nothing, but for what somebody has decided to hold: that is named under “holds”.",
        "Intet, bortset fra det, som nogen har besluttet at fastholde: det står under »fastholdelser«.";
    ages: "Ages", "Alder";
    ages_plot: "How old each snapshot is", "Hvor gammelt hvert snapshot er";
    ages_text: "Each mark is a snapshot, at the age of its oldest byte. A snapshot’s age is counted from the time at which its data was read.",
        "Hvert mærke er et snapshot, ved alderen af dets ældste byte. Et snapshots alder regnes fra det tidspunkt, da dets data blev læst.";
    aim_line: "to go after {}", "skal væk efter {}";
    limit_line: "gone by {}", "væk senest efter {}";
    now: "now", "nu";
    no_snapshot: "There is no snapshot.", "Der er intet snapshot.";
    snapshots_table: "Snapshots, oldest first", "Snapshots, ældste øverst";
    age: "Age", "Alder";
    goes_at: "Goes at", "Skal væk";
    gone_by: "Gone by", "Væk senest";
    why_it_is_there: "Why it is there", "Hvorfor det er der";
    fate_kept: "within its time", "inden for sin tid";
    fate_held: "held by somebody", "fastholdt af nogen";
    fate_leased: "being restored", "under gendannelse";
    fate_last: "the last one, expired", "det sidste, udløbet";
    fate_unfinished: "not finished yet", "ikke færdigt endnu";
    fate_goes: "goes with the next prune", "fjernes ved næste oprydning";
    next_prune: "What the next prune would remove", "Hvad den næste oprydning ville fjerne";
    next_prune_text: "As of the time of this page; nothing was removed for it.", "Som det ser ud, da siden blev lavet; intet er fjernet af den grund.";
    snapshots_that_go: "Snapshots to go", "Snapshots, der skal fjernes";
    objects_that_go: "Objects and versions to go", "Objekter og versioner, der skal fjernes";
    bytes_that_go: "Size of these", "Deres størrelse";
    uploads_that_go: "Unfinished uploads to go", "Ufærdige overførsler, der skal fjernes";
    holds: "Holds", "Fastholdelser";
    holds_text: "Somebody keeps these beyond their time. People who were erased since stay in them for as long, and a restore leaves them out all the same.",
        "Nogen holder på disse ud over deres tid. Personer, der er slettet siden, bliver i dem så længe, og en gendannelse udelader dem alligevel.";
    no_hold: "None.", "Ingen.";
    holds_table: "Holds, oldest first", "Fastholdelser, ældste øverst";
    hold: "Hold", "Fastholdelse";
    state: "State", "Tilstand";
    hold_active: "in force", "i kraft";
    hold_ended: "ended", "ophørt";
    held_since: "Since", "Siden";
    held_until: "Until", "Indtil";
    reason: "Reason", "Grund";
    approved_by: "Approved by", "Godkendt af";
    prunes: "The last prunes", "De seneste oprydninger";
    prunes_text: "Each one lists everything again after it has removed it. What it still found is under “still there”.",
        "Hver af dem opremser alting igen efter at have fjernet det. Hvad den stadig fandt, står under »stadig der«.";
    no_prune: "No prune has left a receipt yet.", "Ingen oprydning har efterladt en kvittering endnu.";
    prunes_table: "Receipts of prunes, newest first", "Oprydningers kvitteringer, nyeste øverst";
    carried_out_at: "Carried out at", "Udført";
    snapshots_removed: "Snapshots removed", "Fjernede snapshots";
    objects_removed: "Objects removed", "Fjernede objekter";
    bytes_removed: "Size removed", "Fjernet størrelse";
    bodies_removed: "Ledger entries forgotten", "Glemte poster i sletteregistret";
    snapshots_stayed: "Snapshots that stayed", "Tilbageværende snapshots";
    oldest_object: "Oldest object then", "Ældste objekt på det tidspunkt";
    still_there: "Still there", "Stadig der";

    // Residency.
    residency_title: "Report on residency", "Rapport om dataenes placering";
    residency_lead: "Where the stores and the servers are, and what speaks against it.",
        "Hvor lagrene og serverne er, og hvad der taler imod det.";
    placed_well: "Everything is where it may be", "Alt er, hvor det må være";
    placed_with_findings: "Nothing is known to be elsewhere; findings: {}", "Intet vides at være andre steder; bemærkninger: {}";
    placed_elsewhere: "Something is, or leads, where data may not be", "Noget er, eller fører hen, hvor data ikke må være";
    profile_heading: "Where data may be", "Hvor data må være";
    profile_de: "The profile is de: in Germany alone, at these places.", "Profilen er de: kun i Tyskland, på disse steder.";
    profile_eu: "The profile is eu: in the European Union, at these places.", "Profilen er eu: i Den Europæiske Union, på disse steder.";
    stores: "Stores", "Lagre";
    stores_table: "Where each store is", "Hvor hvert lager er";
    used_for: "Used for", "Bruges til";
    address: "Address", "Adresse";
    place: "Place", "Sted";
    provider: "Provider", "Udbyder";
    use_store: "backups", "sikkerhedskopier";
    use_ledger: "ledger of erased people", "register over slettede personer";
    use_second: "second store", "andet lager";
    use_second_ledger: "ledger in the second store", "register i det andet lager";
    did_not_answer: "did not answer", "svarede ikke";
    looked_at: "What was looked at", "Hvad der blev undersøgt";
    looked_at_text: "Of every store in a bucket, before this page was made:", "Ved hvert lager i en bucket, før siden blev lavet:";
    look_endpoint: "the endpoint: which host requests are sent to", "adressen: hvilken vært forespørgsler sendes til";
    look_region: "the region that the bucket itself says it is in", "den region, som bucketen selv siger, at den er i";
    look_replication: "replication: which other buckets it copies to", "replikering: hvilke andre buckets den kopierer til";
    look_key: "the key with which the store encrypts, and where that is", "den nøgle, som lageret krypterer med, og hvor den er";
    look_versions: "versions, locks and retention that would keep things for too long", "versioner, låse og frister, der ville holde på ting for længe";
    look_lifecycle: "lifecycle rules", "livscyklusregler";
    look_ways_out: "where access logs, inventories, analyses and events go", "hvor adgangslogge, opgørelser, analyser og hændelser sendes hen";
    look_policy: "whom the bucket’s policy lets in, and whether public access is blocked", "hvem bucketens politik lukker ind, og om offentlig adgang er spærret";
    not_looked_at: "A store on this machine does not say where its disk is. Where a server is, the settings say; nobody asked it.",
        "Et lager på denne maskine siger ikke, hvor dets disk er. Hvor en server er, siger indstillingerne; ingen har spurgt den.";
    targets: "Servers that may be restored to", "Servere, der må gendannes på";
    no_target: "No server has a label: a restore goes to this machine alone.", "Ingen server har et mærke: der gendannes kun på denne maskine.";
    targets_table: "Servers and their labels", "Servere og deres mærker";
    server: "Server", "Server";
    label: "Label", "Mærke";
    by_the_profile: "By the profile", "Efter profilen";
    allowed: "allowed", "tilladt";
    not_allowed: "not allowed", "ikke tilladt";
    findings: "Findings", "Bemærkninger";
    findings_text: "What somebody should look at:", "Hvad nogen bør se på:";
    no_finding: "None.", "Ingen.";
    finding_elsewhere: "Leads elsewhere:", "Fører andre steder hen:";
    finding_unknown: "Not known:", "Vides ikke:";
    finding_other: "To be looked at:", "Bør undersøges:";

    // The audit log.
    audit_title: "What was done to personal data", "Hvad der er gjort med persondata";
    audit_lead: "Every action on the data that concerns this customer, from the audit log, which cannot be changed afterwards without that being seen.",
        "Alle handlinger på de data, der vedrører denne kunde, fra hændelsesloggen, som ikke kan ændres bagefter, uden at det ses.";
    audit_whole: "{} actions, each with its end", "{} handlinger, hver med sin afslutning";
    audit_open: "{} actions, {} of them without an end", "{} handlinger, heraf {} uden afslutning";
    audit_of: "Of", "For";
    audit_of_all: "all customers", "alle kunder";
    audit_size: "Entries of the whole log", "Poster i hele loggen";
    audit_root: "Root of the whole log", "Hele loggens rodsum";
    audit_key: "Signed by", "Underskrevet med";
    audit_actions: "Actions", "Handlinger";
    audit_none: "None.", "Ingen.";
    audit_table: "Actions, the newest first", "Handlinger, de nyeste først";
    audit_entry: "Entry", "Post";
    audit_when: "When", "Hvornår";
    audit_what: "What", "Hvad";
    audit_how: "How it ended", "Hvordan det endte";
    audit_request: "On instruction", "Efter instruks";
    audit_subject: "Kind of person", "Slags person";
    audit_people: "People", "Personer";
    audit_on: "About", "Vedrører";
    audit_done: "done", "udført";
    audit_failed: "failed", "mislykkedes";
    audit_no_end: "no end: under way, or interrupted", "ingen afslutning: i gang eller afbrudt";
    audit_text: "What concerns all customers is shown without numbers, which would be about the others as well. The proof is the export as lines of JSON: lethe audit verify checks it with the company's public key.",
        "Det, der vedrører alle kunder, vises uden tal, som også ville handle om de andre. Beviset er udtrækket som JSON-linjer: lethe audit verify efterprøver det med firmaets offentlige nøgle.";
    act_tombstone_add: "people put on the list of the erased", "personer sat på listen over slettede";
    act_tombstone_revoke: "people taken off the list of the erased", "personer taget af listen over slettede";
    act_tombstone_capture: "deletions in the database brought to the list", "sletninger i databasen føjet til listen";
    act_capture_install: "capture of deletions installed", "opsamling af sletninger installeret";
    act_capture_remove: "capture of deletions removed", "opsamling af sletninger fjernet";
    act_snapshot: "backup taken", "sikkerhedskopi taget";
    act_restore_plan: "restore planned, nothing restored", "gendannelse planlagt, intet gendannet";
    act_restore: "backup restored, without the erased", "sikkerhedskopi gendannet, uden de slettede";
    act_drill: "restore tried and thrown away", "gendannelse afprøvet og smidt væk";
    act_prune: "old backups removed", "gamle sikkerhedskopier fjernet";
    act_copy: "backups copied to the second store", "sikkerhedskopier kopieret til det andet lager";
    act_hold_add: "backup held beyond its time", "sikkerhedskopi holdt ud over sin tid";
    act_hold_remove: "hold ended", "tilbageholdelse ophævet";
    act_verify: "stored backups read and checked", "gemte sikkerhedskopier læst og kontrolleret";
    act_keys_change: "who can open backups was changed", "hvem der kan åbne sikkerhedskopier, blev ændret";
    act_keys_seal: "key sealed by a key service", "nøgle forseglet af en nøgletjeneste";
    act_audit_export: "this log exported", "denne log udtrukket";
    act_settings_loosened: "settings allow more than before", "indstillinger tillader mere end før";

    // Certificate.
    certificate_title: "Certificate of an erasure", "Bekræftelse af en sletning";
    certificate_lead: "What was done because of one request, until when a backup may still hold the data, and that restores leave it out.",
        "Hvad der er gjort på grund af én anmodning, indtil hvornår en sikkerhedskopi endnu kan indeholde dataene, og at gendannelser udelader dem.";
    certificate_gone: "Erased, and in no backup any more", "Slettet, og ikke længere i nogen sikkerhedskopi";
    certificate_until: "Erased; the last backup that may hold it goes on {}", "Slettet; den sidste sikkerhedskopi, der kan indeholde det, forsvinder {}";
    certificate_revoked: "Taken back: people of this request are not erased any more", "Taget tilbage: personer fra denne anmodning er ikke længere slettet";
    certificate_people: "People on the list", "Personer på listen";
    certificate_backups: "Backups that may hold them", "Sikkerhedskopier, der kan indeholde dem";
    certificate_restores: "Restores and drills since then, each without them", "Gendannelser og øvelser siden da, alle uden dem";
    certificate_done: "What was done", "Hvad der er gjort";
    certificate_erased: "erased", "slettet";
    certificate_anonymised: "anonymised", "anonymiseret";
    certificate_taken_back: "taken back", "taget tilbage";
    certificate_forgotten: "forgotten: no backup needs them any more", "glemt: ingen sikkerhedskopi har brug for dem længere";
    certificate_remembered: "kept, encrypted, to leave them out of restores", "gemt, krypteret, for at udelade dem af gendannelser";
    certificate_entries: "Entries of the ledger with this reference", "Poster i sletteregistret med denne reference";
    certificate_ids: "Their ids", "Deres id'er";
    certificate_no_backup: "None: every backup that is stored was begun after the erasure, or has gone.",
        "Ingen: alle gemte sikkerhedskopier er begyndt efter sletningen eller er forsvundet.";
    certificate_backups_text: "They were begun before the erasure was written down. A restore from any of them leaves these people out.",
        "De blev begyndt, før sletningen blev skrevet ned. En gendannelse fra en af dem udelader disse personer.";
    certificate_backups_table: "Backups and when they go", "Sikkerhedskopier, og hvornår de forsvinder";
    certificate_goes_at: "Goes at", "Forsvinder";
    certificate_hold: "Held", "Holdt tilbage";
    certificate_held: "held beyond its time", "holdt ud over sin tid";
    certificate_not_held: "not held", "ikke holdt tilbage";
    certificate_text: "Made from the ledger of the erased and the list of stored backups. Says nothing of copies that others hold.",
        "Lavet af sletteregistret og listen over gemte sikkerhedskopier. Siger intet om kopier, som andre har.";
}
