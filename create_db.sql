-- The whole schema of ABQ Data Entry, for PostgreSQL 13 or newer.
--
--     psql --set ON_ERROR_STOP=1 --dbname abq --file create_db.sql
--
-- It can be applied again at any time: what is there already stays as it is, with all its rows and rights. A database
-- made by an older version is brought to this one without loss; one made by a newer version is refused. All happens in
-- one transaction, so an error leaves the database as it was.

BEGIN;

SET LOCAL client_min_messages = warning;

-- The functions below keep this path: they find their tables here, and never a temporary one of the same name, which
-- anybody may make.
DO $$ BEGIN PERFORM set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true); END $$;

-- Two workstations that start at once: the second waits here until the first is done. By nothing that somebody else
-- could take: an advisory lock anybody can, and keep it.
DO $$
BEGIN
    CREATE TABLE IF NOT EXISTS schema_version (
        version integer PRIMARY KEY,
        applied timestamp(0) with time zone NOT NULL DEFAULT now()
    );
EXCEPTION WHEN duplicate_table OR duplicate_object OR unique_violation THEN
    NULL; -- the first was just making it
END $$;

LOCK TABLE schema_version IN SHARE ROW EXCLUSIVE MODE;

-- Before version 15 everybody could make functions in the schema public, and so put them in the way of ours; a database
-- that came from there still lets them.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_namespace, aclexplode(nspacl)
        WHERE nspname = current_schema() AND grantee = 0 AND privilege_type = 'CREATE'
    ) THEN
        RETURN;
    END IF;
    IF (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = current_schema()) THEN
        EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
    ELSE
        RAISE WARNING 'Everybody may make functions in the schema % of this database.', current_schema()
            USING HINT = format('A superuser should run, in this database: REVOKE CREATE ON SCHEMA %I FROM PUBLIC;',
                current_schema());
    END IF;
END $$;

-- Whoever has an open transaction that has only read is waited for, and whoever saves waits behind us: not for long.
SET LOCAL lock_timeout = '5s';

DO $$
BEGIN
    IF EXISTS (SELECT FROM schema_version WHERE version > 8) THEN
        RAISE EXCEPTION 'This database was made by a newer version of ABQ Data Entry than this file.'
            USING HINT = 'Apply the create_db.sql of that newer version.', ERRCODE = 'feature_not_supported';
    END IF;
END $$;

-- ------------------------------------------------------------------------------------------------- people and places

CREATE TABLE IF NOT EXISTS lab_techs (
    id smallint PRIMARY KEY,
    name varchar(512) UNIQUE NOT NULL
);

CREATE TABLE IF NOT EXISTS labs (
    id char(1) PRIMARY KEY
);

CREATE TABLE IF NOT EXISTS plots (
    lab_id char(1) NOT NULL REFERENCES labs (id),
    plot smallint NOT NULL CONSTRAINT plot_within_limits CHECK (plot BETWEEN 1 AND 20),
    current_seed_sample char(6),
    PRIMARY KEY (lab_id, plot)
);

-- Whoever or whatever is retired stays, with all that was recorded, and is offered for new records no more.
ALTER TABLE lab_techs ADD COLUMN IF NOT EXISTS retired timestamp(0) with time zone;
ALTER TABLE labs ADD COLUMN IF NOT EXISTS retired timestamp(0) with time zone;
ALTER TABLE plots ADD COLUMN IF NOT EXISTS retired timestamp(0) with time zone;

-- ------------------------------------------------------------------------------------------------- what is recorded

CREATE TABLE IF NOT EXISTS lab_checks (
    date date NOT NULL,
    time time NOT NULL,
    lab_id char(1) NOT NULL REFERENCES labs (id),
    lab_tech_id smallint NOT NULL REFERENCES lab_techs (id),
    PRIMARY KEY (date, time, lab_id)
);

CREATE TABLE IF NOT EXISTS plot_checks (
    date date NOT NULL,
    time time NOT NULL,
    lab_id char(1) NOT NULL,
    plot smallint NOT NULL,
    seed_sample char(6) NOT NULL,
    humidity numeric(4, 2),
    light numeric(5, 2),
    temperature numeric(4, 2),
    equipment_fault boolean NOT NULL DEFAULT false,
    blossoms smallint NOT NULL,
    plants smallint NOT NULL,
    fruit smallint NOT NULL,
    max_height numeric(6, 2) NOT NULL,
    min_height numeric(6, 2) NOT NULL,
    median_height numeric(6, 2) NOT NULL,
    notes text,
    lab_tech_id smallint REFERENCES lab_techs (id),
    PRIMARY KEY (date, time, lab_id, plot),
    FOREIGN KEY (date, time, lab_id) REFERENCES lab_checks (date, time, lab_id),
    FOREIGN KEY (lab_id, plot) REFERENCES plots (lab_id, plot)
);

CREATE TABLE IF NOT EXISTS local_weather (
    datetime timestamp(0) with time zone PRIMARY KEY,
    temperature numeric(5, 2),
    rel_hum numeric(5, 2),
    pressure numeric(7, 2),
    conditions varchar(128)
);

ALTER TABLE local_weather ADD COLUMN IF NOT EXISTS station varchar(8);
ALTER TABLE local_weather ADD COLUMN IF NOT EXISTS source text;
ALTER TABLE local_weather ADD COLUMN IF NOT EXISTS kind text
    CONSTRAINT kind_of_an_observation CHECK (kind IN ('observed', 'model'));
ALTER TABLE local_weather ADD COLUMN IF NOT EXISTS fetched timestamp(0) with time zone;
ALTER TABLE local_weather ADD COLUMN IF NOT EXISTS quality text;

-- Who could store observations before version 4 can fill what is empty in them.
DO $$
DECLARE
    grantee_of record;
BEGIN
    IF NOT EXISTS (SELECT FROM schema_version) OR EXISTS (SELECT FROM schema_version WHERE version >= 4) THEN
        RETURN;
    END IF;
    FOR grantee_of IN
        SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS name
        FROM pg_class, aclexplode(relacl)
        WHERE pg_class.oid = 'local_weather'::regclass AND grantee <> relowner AND privilege_type = 'INSERT'
    LOOP
        EXECUTE format('GRANT UPDATE ON local_weather TO %s', grantee_of.name);
    END LOOP;
END $$;

-- ------------------------------------------------------------------------------------------------- what was delivered

CREATE TABLE IF NOT EXISTS deliveries (
    id uuid PRIMARY KEY,
    created timestamp(0) with time zone NOT NULL,
    date date NOT NULL,
    file_name text NOT NULL,
    version integer NOT NULL CONSTRAINT version_from_1 CHECK (version >= 1),
    destination text NOT NULL,
    address text NOT NULL,
    username text NOT NULL,
    size bigint NOT NULL,
    sha256 char(64) NOT NULL,
    state text NOT NULL CONSTRAINT state_of_a_delivery
        CHECK (state IN ('waiting', 'sending', 'delivered', 'failed', 'cancelled', 'unknown')),
    attempts integer NOT NULL,
    last_attempt timestamp(0) with time zone,
    delivered timestamp(0) with time zone,
    reason text,
    revision integer NOT NULL,
    CONSTRAINT delivered_has_its_moment CHECK ((state = 'delivered') = (delivered IS NOT NULL))
);

ALTER TABLE deliveries ADD COLUMN IF NOT EXISTS audit_head text;
ALTER TABLE deliveries ADD COLUMN IF NOT EXISTS outdated timestamp(0) with time zone;

-- Before version 7 no delivery had an unknown end.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_constraint WHERE conrelid = 'deliveries'::regclass AND conname = 'state_of_a_delivery'
            AND strpos(pg_get_constraintdef(oid), 'unknown') > 0
    ) THEN
        ALTER TABLE deliveries DROP CONSTRAINT IF EXISTS state_of_a_delivery, ADD CONSTRAINT state_of_a_delivery
            CHECK (state IN ('waiting', 'sending', 'delivered', 'failed', 'cancelled', 'unknown'));
    END IF;
END $$;

-- Who could write and read observations before version 2 had this table can write and read deliveries.
DO $$
DECLARE
    right_of record;
BEGIN
    IF NOT EXISTS (SELECT FROM schema_version) OR EXISTS (SELECT FROM schema_version WHERE version >= 2) THEN
        RETURN;
    END IF;
    FOR right_of IN
        SELECT CASE privilege_type WHEN 'SELECT' THEN 'SELECT' ELSE 'SELECT, INSERT, UPDATE' END AS rights,
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee
        FROM pg_class, aclexplode(relacl)
        WHERE pg_class.oid = 'local_weather'::regclass AND grantee <> relowner
            AND privilege_type IN ('SELECT', 'INSERT')
    LOOP
        EXECUTE format('GRANT %s ON deliveries TO %s', right_of.rights, right_of.grantee);
    END LOOP;
END $$;

-- Where extracts go besides the destinations that stand in the settings of each workstation. What is taken is said by
-- refuse_destination. Whoever reads the records reads this, so it holds no password.
CREATE TABLE IF NOT EXISTS destinations (
    name text PRIMARY KEY,
    kind text NOT NULL,
    address text NOT NULL,
    login_address text NOT NULL DEFAULT '',
    folder text NOT NULL DEFAULT '',
    file_name text NOT NULL DEFAULT 'abq_data_record_{date}.csv',
    contents text NOT NULL DEFAULT 'records',
    format text NOT NULL DEFAULT 'csv',
    schedule text NOT NULL DEFAULT 'by hand',
    username text NOT NULL DEFAULT '',
    checksum boolean NOT NULL DEFAULT false,
    scheduled timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT format_of_a_destination CHECK (format IN ('csv', 'xlsx', 'parquet')),
    CONSTRAINT extract_is_csv CHECK (contents <> 'records' OR format = 'csv'),
    CONSTRAINT schedule_of_a_destination CHECK (
        schedule IN ('by hand', 'when a check is complete')
        OR schedule ~ '^every day at ([01][0-9]|2[0-3]):[0-5][0-9]$')
);

-- Version 6 listed the kinds here too: see destination_kinds.
ALTER TABLE destinations DROP CONSTRAINT IF EXISTS kind_of_a_destination;
ALTER TABLE destinations ADD COLUMN IF NOT EXISTS login_method text NOT NULL DEFAULT '';
ALTER TABLE destinations ADD COLUMN IF NOT EXISTS login_header text NOT NULL DEFAULT '';
ALTER TABLE destinations ADD COLUMN IF NOT EXISTS login_scope text NOT NULL DEFAULT '';

-- What a schedule has sent, so that it is sent once, by whichever workstation comes first. `occasion` is the time of the
-- schedule, or the check that was complete. A row without a delivery is one that somebody is about to make.
CREATE TABLE IF NOT EXISTS scheduled_deliveries (
    destination text NOT NULL,
    date date NOT NULL,
    occasion text NOT NULL,
    taken timestamp with time zone NOT NULL,
    taken_by text NOT NULL,
    workstation text,
    delivery uuid,
    login name,
    PRIMARY KEY (destination, date, occasion)
);
ALTER TABLE scheduled_deliveries ADD COLUMN IF NOT EXISTS login name; -- in version 6 there was none

-- What receivers answered by mail: see keep_answers. The mails that were read, so that each is read once.
CREATE TABLE IF NOT EXISTS delivery_receipts (
    delivery uuid NOT NULL,
    digest char(64) NOT NULL,
    received timestamp with time zone NOT NULL,
    sender text NOT NULL,
    message_id text NOT NULL,
    verdict text NOT NULL CONSTRAINT verdict_of_a_receipt CHECK (verdict IN ('accepted', 'refused', 'answer')),
    words text NOT NULL,
    settled timestamp with time zone,
    login name,
    settled_by name,
    PRIMARY KEY (delivery, digest)
);
CREATE INDEX IF NOT EXISTS delivery_receipts_unsettled ON delivery_receipts (delivery) WHERE settled IS NULL;

CREATE TABLE IF NOT EXISTS mailbox_messages (
    mailbox text NOT NULL,
    message text NOT NULL,
    looked timestamp with time zone NOT NULL,
    login name,
    PRIMARY KEY (mailbox, message)
);

-- ------------------------------------------------------------------------------------------------- who changed what
-- Each row of the audit is chained to the one before it of the same lab: its hash is the SHA-256, in hexadecimal, of
-- the hash before it and the text of its content (see audit_content). What belongs to no lab has the letter '-'.

CREATE TABLE IF NOT EXISTS audit (
    lab_id char(1) NOT NULL,
    sequence bigint NOT NULL,
    table_name text NOT NULL,
    key jsonb NOT NULL,
    operation text NOT NULL CONSTRAINT operation_of_an_entry CHECK (operation IN ('INSERT', 'UPDATE', 'DELETE')),
    old jsonb,
    new jsonb,
    database_user text NOT NULL,
    application_user text,
    workstation text,
    moment timestamp with time zone NOT NULL,
    transaction bigint NOT NULL,
    reason text,
    previous_hash text NOT NULL,
    hash text NOT NULL,
    PRIMARY KEY (lab_id, sequence)
);

CREATE TABLE IF NOT EXISTS audit_heads (
    lab_id char(1) PRIMARY KEY,
    sequence bigint NOT NULL,
    hash text NOT NULL
) WITH (fillfactor = 50);

-- What was there already when the audit began: how many rows of a table and lab have no entry of their own, and the sum
-- of the SHA-256 of their contents, in four parts. So none of them changes unseen, and none comes. Written once, at the
-- end of this file; lab '-' has one for each table.
CREATE TABLE IF NOT EXISTS audit_baselines (
    table_name text NOT NULL,
    lab_id char(1) NOT NULL,
    rows bigint NOT NULL,
    digest text NOT NULL,
    columns text[] NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (table_name, lab_id)
);

-- When it was saved on the workstation, where the database was away then. It is hashed where it is told, so entries from
-- before version 5 keep their hashes.
ALTER TABLE audit ADD COLUMN IF NOT EXISTS typed timestamp with time zone;

CREATE INDEX IF NOT EXISTS audit_of_a_row ON audit USING hash (key);
CREATE INDEX IF NOT EXISTS audit_of_gone_records ON audit (lab_id, sequence)
    WHERE table_name = 'plot_checks' AND operation = 'DELETE';
CREATE INDEX IF NOT EXISTS audit_by_moment ON audit USING brin (moment);

-- Who belongs to which labs: a login, or a role that logins have. It matters only where labs are kept apart, see
-- restrict_labs.
CREATE TABLE IF NOT EXISTS lab_members (
    lab_id char(1) NOT NULL REFERENCES labs (id) ON DELETE CASCADE,
    member name NOT NULL,
    PRIMARY KEY (lab_id, member)
);

-- Which login is which technician's own. A login that several people share has no row.
CREATE TABLE IF NOT EXISTS technician_logins (
    login name PRIMARY KEY,
    lab_tech_id smallint NOT NULL REFERENCES lab_techs (id) ON DELETE CASCADE
);

-- Who asks: the login, or the role it has taken with SET ROLE; never the owner, whose rights some functions have.
CREATE OR REPLACE FUNCTION asking_role() RETURNS name
LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role')::name END
$$;

-- The labs whose records somebody sees; NULL: all. So it is for everybody unless labs are kept apart, and then for the
-- owner and abq_qa. Nobody is told the labs of somebody else: who isn't a member of that role gets the own ones.
CREATE OR REPLACE FUNCTION seen_labs(who name) RETURNS char(1)[]
LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT ARRAY(
            SELECT lab_id FROM lab_members JOIN pg_roles ON rolname = member
            WHERE pg_has_role(asking.role, pg_roles.oid, 'USAGE')
        )
    FROM pg_class
    CROSS JOIN LATERAL (
        SELECT CASE WHEN pg_has_role(asking_role(), who, 'MEMBER') THEN who ELSE asking_role() END AS role
    ) AS asking
    WHERE pg_class.oid = 'plot_checks'::regclass AND relrowsecurity AND NOT pg_has_role(asking.role, relowner, 'USAGE')
        AND NOT EXISTS (
            SELECT FROM pg_roles WHERE rolname = 'abq_qa' AND pg_has_role(asking.role, pg_roles.oid, 'USAGE')
        )
$$;

-- The tables whose entries are in the chain of a lab.
CREATE OR REPLACE FUNCTION tables_of_labs() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT ARRAY['plot_checks', 'lab_checks', 'plots', 'labs', 'lab_members', 'value_marks', 'shift_notes']
$$;

-- Whether the chain of what belongs to no lab holds entries that somebody doesn't see: an older database may have a lab
-- of that letter. Who checks the audit can't check that chain, then.
CREATE OR REPLACE FUNCTION hides_entries(who name) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT seen_labs(who) IS NOT NULL AND NOT '-' = ANY (seen_labs(who)) AND EXISTS (
        SELECT FROM audit WHERE lab_id = '-' AND table_name = ANY (tables_of_labs())
    )
$$;

-- Whether the asker may enter records of a lab.
CREATE OR REPLACE FUNCTION may_enter(lab text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    asker name := asking_role();
BEGIN
    IF NOT has_any_column_privilege(asker, 'plot_checks', 'INSERT') THEN
        RETURN false;
    END IF;
    RETURN NOT (SELECT relrowsecurity FROM pg_class WHERE pg_class.oid = 'plot_checks'::regclass)
        OR coalesce(lab = ANY (seen_labs(asker)), true);
END $$;

-- Those who save for a lab wait for each other here, until the end of the transaction. Only who may enter records of the
-- lab can make others of it wait: nobody else locks a row of labs, but an advisory lock everybody could take.
CREATE OR REPLACE FUNCTION lock_lab(lab text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF may_enter(lab) THEN
        PERFORM FROM labs WHERE id = lab FOR NO KEY UPDATE;
    END IF;
END $$;

-- Who is entering which check now. A row counts only while the session that wrote it holds the advisory lock of that
-- number, which the server takes back with the connection: nobody stays who has gone. Rows are written by the functions
-- below alone, and each only by who knows the word that its number comes from: so nobody sends somebody else away, and
-- nobody can take a lock before it is needed.
CREATE UNLOGGED TABLE IF NOT EXISTS check_presence (
    lease bigint PRIMARY KEY,
    date date NOT NULL,
    time time NOT NULL,
    lab_id char(1) NOT NULL,
    plot smallint,
    application_user text,
    workstation text,
    since timestamp with time zone NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE check_presence ADD COLUMN IF NOT EXISTS process integer;

CREATE OR REPLACE VIEW check_presence_view AS
    SELECT p.date, p.time, p.lab_id, p.plot, p.application_user, p.workstation, p.since, p.lease
    FROM check_presence AS p
    WHERE EXISTS (
        SELECT FROM pg_locks AS l
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid = p.process
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND ((l.classid::bigint << 32) | l.objid::bigint) = p.lease
    ) AND ((SELECT seen_labs(current_user)) IS NULL OR p.lab_id = ANY ((SELECT seen_labs(current_user))::bpchar[]));

CREATE OR REPLACE FUNCTION presence_lease(word text) RETURNS bigint
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT ('x' || substr(encode(sha256(convert_to(word, 'UTF8')), 'hex'), 1, 16))::bit(64)::bigint
$$;

-- Says that a window is at a check, perhaps at a plot of it; until `leave_check`, or the end of this session. `word` is
-- any text that nobody else can guess, a new one for each session.
CREATE OR REPLACE FUNCTION enter_check(
    word text, of_date date, of_time time, of_lab char(1), of_plot integer, who text, place text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    own bigint := presence_lease(word);
BEGIN
    IF NOT may_enter(of_lab) THEN
        RAISE EXCEPTION 'This login does not enter records of lab %.', of_lab USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT EXISTS (SELECT FROM check_presence WHERE lease = own AND process = pg_backend_pid()) THEN
        IF NOT pg_try_advisory_lock(own) THEN
            RAISE EXCEPTION 'Another session uses this word.' USING ERRCODE = 'object_in_use';
        END IF;
        DELETE FROM check_presence WHERE since < now() - interval '1 day' AND lab_id = of_lab
            AND lease NOT IN (SELECT lease FROM check_presence_view);
    END IF;
    INSERT INTO check_presence AS p (lease, date, time, lab_id, plot, application_user, workstation, process)
        VALUES (own, of_date, of_time, of_lab, of_plot, left(who, 512), left(place, 512), pg_backend_pid())
        ON CONFLICT (lease) DO UPDATE SET date = EXCLUDED.date, time = EXCLUDED.time, lab_id = EXCLUDED.lab_id,
            plot = EXCLUDED.plot, application_user = EXCLUDED.application_user, process = EXCLUDED.process,
            since = CASE WHEN (p.date, p.time, p.lab_id) = (EXCLUDED.date, EXCLUDED.time, EXCLUDED.lab_id)
                THEN p.since ELSE now() END;
END $$;

-- Whether somebody else has the plot open at that check.
CREATE OR REPLACE FUNCTION is_claimed(own bigint, of_date date, of_time time, of_lab char(1), of_plot integer)
RETURNS boolean LANGUAGE sql VOLATILE SET search_path FROM CURRENT AS $$
    SELECT EXISTS (
        SELECT FROM check_presence_view
        WHERE date = of_date AND time = of_time AND lab_id = of_lab AND plot = of_plot AND lease <> own
    )
$$;

-- The same for a plot, unless somebody else has it open: then it is said of no plot, and false is returned. Who claims a
-- plot waits a second for another who does so at the moment: who takes longer for that has it.
CREATE OR REPLACE FUNCTION claim_plot(
    word text, of_date date, of_time time, of_lab char(1), of_plot integer, who text, place text
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '1s' AS $$
DECLARE
    is_free boolean := true;
BEGIN
    IF may_enter(of_lab) THEN
        BEGIN
            PERFORM FROM plots WHERE lab_id = of_lab AND plot = of_plot FOR NO KEY UPDATE;
            is_free := NOT is_claimed(presence_lease(word), of_date, of_time, of_lab, of_plot);
        EXCEPTION WHEN lock_not_available THEN
            is_free := false;
        END;
    END IF;
    PERFORM enter_check(word, of_date, of_time, of_lab, CASE WHEN is_free THEN of_plot END, who, place);
    RETURN is_free;
END $$;

-- The first of the plots that is neither recorded nor open elsewhere, NULL if none is: the window goes there, if it is
-- at that check. In any session.
CREATE OR REPLACE FUNCTION claim_next_plot(word text, of_date date, of_time time, of_lab char(1), of_plots integer[])
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    own bigint := presence_lease(word);
    each integer;
    found_one integer;
BEGIN
    IF NOT may_enter(of_lab) THEN
        RETURN NULL;
    END IF;
    FOREACH each IN ARRAY of_plots LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM plot_checks WHERE date = of_date AND time = of_time AND lab_id = of_lab AND plot = each
        );
        PERFORM FROM plots WHERE lab_id = of_lab AND plot = each FOR NO KEY UPDATE SKIP LOCKED;
        IF FOUND AND NOT is_claimed(own, of_date, of_time, of_lab, each) THEN
            found_one := each;
            EXIT;
        END IF;
    END LOOP;
    UPDATE check_presence SET plot = found_one
        WHERE lease = own AND date = of_date AND time = of_time AND lab_id = of_lab;
    RETURN found_one;
END $$;

CREATE OR REPLACE FUNCTION leave_check(word text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DELETE FROM check_presence WHERE lease = presence_lease(word)
$$;

-- The numbers that windows give their saves. One that comes again, from the journal of a workstation that couldn't reach
-- the database or never got its answer, is known by it: each is done once.
CREATE TABLE IF NOT EXISTS journal_entries (
    id uuid PRIMARY KEY,
    applied timestamp(0) with time zone NOT NULL DEFAULT now()
);

-- What holds for all workstations; one row.
CREATE TABLE IF NOT EXISTS lab_settings (
    id boolean PRIMARY KEY DEFAULT true CONSTRAINT one_row CHECK (id),
    time_zone text NOT NULL,
    control_from date,
    control_to date,
    CONSTRAINT control_period_in_order CHECK (control_from <= control_to)
);

-- What QA says of a value, or of a whole record: see mark_value. The place is that of the record now; `gone` is the
-- entry of the audit with which it was withdrawn. Rows are written by functions alone and never deleted, and each change
-- is in the audit: see mark_history.
CREATE TABLE IF NOT EXISTS value_marks (
    id bigint PRIMARY KEY,
    date date NOT NULL,
    time time NOT NULL,
    lab_id char(1) NOT NULL,
    plot smallint NOT NULL,
    field text NOT NULL,
    value text,
    state text NOT NULL CONSTRAINT state_of_a_mark CHECK (state IN ('queried', 'accepted', 'excluded')),
    status text NOT NULL CONSTRAINT status_of_a_mark CHECK (
        status IN ('open', 'closed') OR status IN ('answered', 'corrected') AND state = 'queried'),
    words text NOT NULL,
    marked timestamp with time zone NOT NULL,
    marked_by text NOT NULL,
    answer text,
    answered timestamp with time zone,
    answered_by text,
    event text NOT NULL,
    said text,
    who text NOT NULL,
    changed timestamp with time zone NOT NULL,
    gone bigint
);

CREATE UNIQUE INDEX IF NOT EXISTS value_marks_in_force ON value_marks (date, time, lab_id, plot, field)
    WHERE status <> 'closed' AND gone IS NULL;
CREATE INDEX IF NOT EXISTS value_marks_by_record ON value_marks (date, time, lab_id, plot);

-- What a shift leaves to the next: a note to a lab, to a plot of it or to a check, which stays until it is done: see
-- write_note. Rows are written by functions alone and never deleted, and each change is in the audit.
CREATE TABLE IF NOT EXISTS shift_notes (
    id bigint PRIMARY KEY,
    lab_id char(1) NOT NULL,
    plot smallint,
    date date,
    time time,
    words text NOT NULL,
    written timestamp with time zone NOT NULL,
    written_by text NOT NULL,
    done timestamp with time zone,
    done_by text,
    CONSTRAINT subject_of_a_note CHECK (num_nulls(date, time) IN (0, 2) AND (plot IS NULL OR date IS NULL)),
    CONSTRAINT done_by_somebody CHECK (num_nulls(done, done_by) IN (0, 2))
);
CREATE INDEX IF NOT EXISTS shift_notes_open ON shift_notes (lab_id) WHERE done IS NULL;

-- What people tell each other between workstations: to a person, to whoever is at a lab, or to all (neither is named).
-- Rows are written by send_message alone, which removes those that are older than 30 days. They are in no audit.
CREATE TABLE IF NOT EXISTS shift_messages (
    id uuid PRIMARY KEY,
    sent timestamp with time zone NOT NULL,
    sender text NOT NULL,
    login name NOT NULL,
    workstation text,
    lab_id char(1),
    recipient text,
    words text NOT NULL,
    CONSTRAINT one_way_of_a_message CHECK (num_nonnulls(lab_id, recipient) <= 1),
    CONSTRAINT length_of_a_message CHECK (char_length(words) BETWEEN 1 AND 640)
);
CREATE INDEX IF NOT EXISTS shift_messages_by_moment ON shift_messages (sent);

-- Whom a message has reached: each person once, at however many workstations that person is.
CREATE TABLE IF NOT EXISTS shift_message_readers (
    message uuid NOT NULL REFERENCES shift_messages (id) ON DELETE CASCADE,
    reader text NOT NULL,
    lab_id char(1),
    delivered timestamp with time zone NOT NULL,
    read timestamp with time zone,
    login name NOT NULL,
    PRIMARY KEY (message, reader)
);
CREATE INDEX IF NOT EXISTS shift_messages_unread ON shift_message_readers (reader) WHERE read IS NULL;

-- The company's notices, as its feed or newsgroup has them: asked for once an hour by whichever workstation is first,
-- and shown at all of them. Rows are written by functions alone: see ask_for_notices. They are in no audit, since they
-- can be fetched again.
CREATE TABLE IF NOT EXISTS notice_sources (
    source text PRIMARY KEY,
    asked timestamp with time zone,
    answered timestamp with time zone,
    fetched timestamp with time zone,
    not_before timestamp with time zone,
    problem text,
    state jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT length_of_a_source CHECK (char_length(source) BETWEEN 1 AND 1000)
);
CREATE TABLE IF NOT EXISTS notices (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    source text NOT NULL REFERENCES notice_sources ON DELETE CASCADE,
    mark text NOT NULL,
    published timestamp with time zone NOT NULL,
    fetched timestamp with time zone NOT NULL,
    title text NOT NULL,
    words text NOT NULL,
    link text,
    login name NOT NULL,
    UNIQUE (source, mark)
);

-- Who has read a notice: each person once, at whichever workstation.
CREATE TABLE IF NOT EXISTS notice_readers (
    notice bigint NOT NULL REFERENCES notices ON DELETE CASCADE,
    reader text NOT NULL,
    read timestamp with time zone NOT NULL,
    login name NOT NULL,
    PRIMARY KEY (notice, reader)
);

-- Which checks are expected: of a lab, on a day of the week (1 is Monday, 7 is Sunday), at a time of the labs. What was
-- due before it stood here isn't missing. Nothing is expected until an administrator says so.
CREATE TABLE IF NOT EXISTS alarm_calendar (
    lab_id char(1) NOT NULL REFERENCES labs (id) ON DELETE CASCADE,
    weekday smallint NOT NULL CONSTRAINT day_of_a_week CHECK (weekday BETWEEN 1 AND 7),
    time time NOT NULL CONSTRAINT time_of_a_check CHECK (time IN ('8:00', '12:00', '16:00', '20:00')),
    since timestamp with time zone NOT NULL DEFAULT now(),
    PRIMARY KEY (lab_id, weekday, time)
);

-- Who is told of alarms, by mail or by a POST to a web service. Whoever reads the records reads this, so it holds no
-- password. `server`: where mail is handed in, as smtp://mail.example.com:587; or the name of a destination of the kind
-- email, whose server and login it is; empty: what the settings of the workstation say.
CREATE TABLE IF NOT EXISTS alarm_receivers (
    name text PRIMARY KEY,
    kind text NOT NULL,
    address text NOT NULL,
    server text NOT NULL DEFAULT '',
    username text NOT NULL DEFAULT '',
    login_method text NOT NULL DEFAULT ''
);

-- What somebody has to look after, and until when: see alarm_conditions and tell_alarms. `workstation` is the one that
-- alone knows; NULL: the database knows it. `ended` is when it ended for people; `over`, when what it is about ended: a
-- disk is still full when somebody ends its alarm, and nobody is told again. Rows are written by functions alone, and those
-- that have been over for 90 days are removed.
CREATE TABLE IF NOT EXISTS alarms (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CONSTRAINT kind_of_an_alarm CHECK (
        kind IN ('check missing', 'delivery late', 'delivery failed', 'backup', 'audit', 'disk')),
    subject text NOT NULL,
    words text NOT NULL,
    lab_id char(1),
    date date,
    time time,
    destination text,
    workstation text,
    raised timestamp with time zone NOT NULL,
    raised_by name NOT NULL,
    ended timestamp with time zone,
    ended_words text,
    ended_by text,
    over timestamp with time zone,
    CONSTRAINT length_of_an_alarm CHECK (char_length(words) BETWEEN 1 AND 1000),
    CONSTRAINT ended_with_words CHECK (num_nulls(ended, ended_words) IN (0, 2)),
    CONSTRAINT over_is_ended CHECK (over IS NULL OR ended IS NOT NULL)
);
CREATE UNIQUE INDEX IF NOT EXISTS alarms_in_force ON alarms (kind, subject) WHERE over IS NULL;

-- Who was told of the beginning and the end of an alarm, so that each is told once, by whichever workstation comes first.
CREATE TABLE IF NOT EXISTS alarm_notices (
    alarm bigint NOT NULL REFERENCES alarms (id) ON DELETE CASCADE,
    receiver text NOT NULL,
    about text NOT NULL CONSTRAINT begin_or_end CHECK (about IN ('begin', 'end')),
    state text NOT NULL CONSTRAINT state_of_a_notice
        CHECK (state IN ('taken', 'sending', 'told', 'failed', 'given up', 'unknown')),
    taken timestamp with time zone NOT NULL,
    first timestamp with time zone NOT NULL,
    attempts integer NOT NULL DEFAULT 1,
    next timestamp with time zone,
    said text,
    served text[] NOT NULL DEFAULT '{}',
    workstation text,
    login name NOT NULL,
    PRIMARY KEY (alarm, receiver, about)
);

-- What takes long to find out is kept for QA's views, by lab up to an entry of its audit; what was changed after that is
-- found out anew each time it is asked for (see qa_refresh).
CREATE TABLE IF NOT EXISTS kept_until (
    lab_id char(1) PRIMARY KEY,
    sequence bigint NOT NULL,
    moment timestamp with time zone NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS kept_outliers (
    date date NOT NULL,
    time time NOT NULL,
    lab_id char(1) NOT NULL,
    plot smallint NOT NULL,
    field text NOT NULL,
    value numeric NOT NULL,
    median double precision NOT NULL,
    z double precision NOT NULL,
    PRIMARY KEY (date, time, lab_id, plot, field)
);
CREATE TABLE IF NOT EXISTS kept_drift (
    lab_id char(1) NOT NULL,
    plot smallint NOT NULL,
    field text NOT NULL,
    days bigint NOT NULL,
    slope_per_day double precision,
    low double precision,
    high double precision,
    tau double precision,
    ewma_since date,
    cusum_since date,
    PRIMARY KEY (lab_id, plot, field)
);

-- ------------------------------------------------------------------- from the first schema, which kept no version

ALTER TABLE plot_checks ADD COLUMN IF NOT EXISTS lab_tech_id smallint REFERENCES lab_techs (id);
ALTER TABLE lab_checks ADD COLUMN IF NOT EXISTS version integer NOT NULL DEFAULT 1;
ALTER TABLE plot_checks ADD COLUMN IF NOT EXISTS version integer NOT NULL DEFAULT 1;

DO $$
DECLARE
    width integer;
    users text;
BEGIN
    IF EXISTS (SELECT FROM schema_version) THEN
        RETURN;
    END IF;
    UPDATE plot_checks SET lab_tech_id = lab_checks.lab_tech_id
        FROM lab_checks
        WHERE plot_checks.lab_tech_id IS NULL
            AND (plot_checks.date, plot_checks.time, plot_checks.lab_id)
                = (lab_checks.date, lab_checks.time, lab_checks.lab_id);
    UPDATE plot_checks SET equipment_fault = humidity IS NULL AND light IS NULL AND temperature IS NULL
        WHERE equipment_fault IS NULL;
    ALTER TABLE plot_checks ALTER COLUMN equipment_fault SET DEFAULT false;
    ALTER TABLE plot_checks ALTER COLUMN equipment_fault SET NOT NULL;

    SELECT character_maximum_length INTO width FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = 'local_weather' AND column_name = 'conditions';
    IF width < 128 THEN
        BEGIN
            ALTER TABLE local_weather ALTER COLUMN conditions TYPE varchar(128);
        EXCEPTION WHEN feature_not_supported THEN
            GET STACKED DIAGNOSTICS users = PG_EXCEPTION_DETAIL;
            RAISE EXCEPTION 'local_weather.conditions must become wider, but a view uses it.'
                USING DETAIL = users,
                    HINT = 'Keep the definition of that view, drop it, apply this file, and create the view again.';
        END;
    END IF;
END $$;

-- The limits of the fields. Rows of an older database that break one are kept, and only new rows have to hold it.
DO $$
DECLARE
    rule record;
BEGIN
    FOR rule IN
        SELECT * FROM (VALUES
            ('lab_checks', 'date_of_a_check', 'date BETWEEN ''0001-01-01'' AND ''9999-12-31'''),
            ('plot_checks', 'date_of_a_record', 'date BETWEEN ''0001-01-01'' AND ''9999-12-31'''),
            ('deliveries', 'date_of_an_extract', 'date BETWEEN ''0001-01-01'' AND ''9999-12-31'''),
            ('deliveries', 'moments_of_a_delivery',
                'least(created, last_attempt, delivered, outdated) >= ''0001-01-01 00:00+00'''
                ' AND greatest(created, last_attempt, delivered, outdated) < ''9999-12-30 00:00+00'''),
            ('local_weather', 'moment_of_a_fetch', 'fetched BETWEEN ''0001-01-01 00:00+00'' AND ''9999-12-30 00:00+00'''),
            ('local_weather', 'moment_of_an_observation',
                'datetime BETWEEN ''0001-01-01 00:00+00'' AND ''9999-12-30 00:00+00'''),
            ('local_weather', 'values_are_numbers', 'coalesce(temperature, 0) <> ''NaN'' AND coalesce(rel_hum, 0) <> ''NaN'''
                ' AND coalesce(pressure, 0) <> ''NaN'''),
            ('lab_checks', 'time_of_a_check', 'time IN (''8:00'', ''12:00'', ''16:00'', ''20:00'')'),
            ('plot_checks', 'seed_sample_of_6_characters', 'char_length(seed_sample) = 6'),
            ('plot_checks', 'humidity_within_limits', 'humidity BETWEEN 0.5 AND 52.0'),
            ('plot_checks', 'light_within_limits', 'light BETWEEN 0 AND 100'),
            ('plot_checks', 'temperature_within_limits', 'temperature BETWEEN 4 AND 40'),
            ('plot_checks', 'readings_unless_equipment_fault',
                'CASE WHEN equipment_fault THEN num_nonnulls(humidity, light, temperature) = 0
                    ELSE num_nulls(humidity, light, temperature) = 0 END'),
            ('plot_checks', 'plants_within_limits', 'plants BETWEEN 0 AND 20'),
            ('plot_checks', 'blossoms_within_limits', 'blossoms BETWEEN 0 AND 1000'),
            ('plot_checks', 'fruit_within_limits', 'fruit BETWEEN 0 AND 1000'),
            ('plot_checks', 'min_height_within_limits', 'min_height BETWEEN 0 AND 1000'),
            ('plot_checks', 'max_height_within_limits', 'max_height BETWEEN 0 AND 1000'),
            ('plot_checks', 'median_height_within_limits', 'median_height BETWEEN 0 AND 1000'),
            ('plot_checks', 'heights_in_order', 'min_height <= median_height AND median_height <= max_height')
        ) AS rules (table_name, name, condition)
    LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM pg_constraint WHERE conrelid = rule.table_name::regclass AND conname = rule.name
        );
        EXECUTE format(
            'ALTER TABLE %I ADD CONSTRAINT %I CHECK (%s) NOT VALID', rule.table_name, rule.name, rule.condition
        );
        BEGIN
            EXECUTE format('ALTER TABLE %I VALIDATE CONSTRAINT %I', rule.table_name, rule.name);
        EXCEPTION WHEN check_violation THEN
            RAISE WARNING 'Some rows of % do not hold the rule %. They are kept as they are.', rule.table_name, rule.name;
        END;
    END LOOP;
END $$;

-- ------------------------------------------------------------------------------------------------- indexes
-- Each order of the record list is (column, date, time, lab, plot): the first two are enough to find a page at once.
-- Lab, plot and technician after them let a filter pass over rows without reading them. They are left out where few
-- values have many rows each: there the index stays four times smaller without them.

CREATE INDEX IF NOT EXISTS plot_checks_by_plot_of_lab ON plot_checks (lab_id, plot, date, time);
CREATE INDEX IF NOT EXISTS plot_checks_by_time ON plot_checks (time, date);
CREATE INDEX IF NOT EXISTS plot_checks_by_technician ON plot_checks (lab_tech_id, date);
CREATE INDEX IF NOT EXISTS plot_checks_by_lab ON plot_checks (lab_id, date);
CREATE INDEX IF NOT EXISTS plot_checks_by_plot ON plot_checks (plot, date);
CREATE INDEX IF NOT EXISTS plot_checks_by_seed_sample ON plot_checks (seed_sample, date);
CREATE INDEX IF NOT EXISTS plot_checks_by_humidity ON plot_checks (humidity, date, lab_id, plot, lab_tech_id);
CREATE INDEX IF NOT EXISTS plot_checks_by_light ON plot_checks (light, date, lab_id, plot, lab_tech_id);
CREATE INDEX IF NOT EXISTS plot_checks_by_temperature ON plot_checks (temperature, date, lab_id, plot, lab_tech_id);
CREATE INDEX IF NOT EXISTS plot_checks_by_equipment_fault ON plot_checks (equipment_fault, date);
CREATE INDEX IF NOT EXISTS plot_checks_by_plants ON plot_checks (plants, date);
CREATE INDEX IF NOT EXISTS plot_checks_by_blossoms ON plot_checks (blossoms, date, lab_id, plot, lab_tech_id);
CREATE INDEX IF NOT EXISTS plot_checks_by_fruit ON plot_checks (fruit, date, lab_id, plot, lab_tech_id);
CREATE INDEX IF NOT EXISTS plot_checks_by_min_height ON plot_checks (min_height, date, lab_id, plot, lab_tech_id);
CREATE INDEX IF NOT EXISTS plot_checks_by_max_height ON plot_checks (max_height, date, lab_id, plot, lab_tech_id);
CREATE INDEX IF NOT EXISTS plot_checks_by_median_height ON plot_checks (median_height, date, lab_id, plot, lab_tech_id);

CREATE INDEX IF NOT EXISTS deliveries_by_file ON deliveries (file_name, destination, version);
CREATE INDEX IF NOT EXISTS deliveries_by_date ON deliveries (date);

-- ------------------------------------------------------------------------------------------------- who recorded a plot

-- A statement that names no technician for a plot, as those of the first schema, means the one of the check.
CREATE OR REPLACE FUNCTION fill_plot_technician() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    SELECT lab_tech_id INTO NEW.lab_tech_id FROM lab_checks
        WHERE date = NEW.date AND time = NEW.time AND lab_id = NEW.lab_id;
    RETURN NEW;
END $$;

-- Another technician for a check: the plots of the former one go along, those recorded by somebody else stay theirs.
CREATE OR REPLACE FUNCTION carry_check_technician() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE plot_checks SET lab_tech_id = NEW.lab_tech_id
        WHERE date = NEW.date AND time = NEW.time AND lab_id = NEW.lab_id AND lab_tech_id = OLD.lab_tech_id;
    RETURN NULL;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'plot_checks'::regclass AND tgname = 'fill_plot_technician') THEN
        CREATE TRIGGER fill_plot_technician BEFORE INSERT OR UPDATE ON plot_checks
            FOR EACH ROW WHEN (NEW.lab_tech_id IS NULL) EXECUTE FUNCTION fill_plot_technician();
    END IF;
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'lab_checks'::regclass AND tgname = 'carry_check_technician') THEN
        CREATE TRIGGER carry_check_technician AFTER UPDATE OF lab_tech_id ON lab_checks
            FOR EACH ROW WHEN (NEW.lab_tech_id <> OLD.lab_tech_id) EXECUTE FUNCTION carry_check_technician();
    END IF;
END $$;

-- ------------------------------------------------------------------------------------------------- versions, audit


-- Functions that run with the rights of the owner serve the tables made here, and no other of the same name. Returns
-- whether the rows of that table are kept apart by lab.
CREATE OR REPLACE FUNCTION require_own_table(called_by oid) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    apart boolean;
BEGIN
    SELECT calling.relrowsecurity INTO apart FROM pg_class AS calling JOIN pg_class AS own USING (relnamespace, relowner)
        WHERE calling.oid = called_by AND own.oid = 'plot_checks'::regclass;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'This function belongs to the tables of ABQ Data Entry and serves no other.'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN apart;
END $$;

-- Keeps a record as it is until the end of the transaction; an error (SQLSTATE AB001) if it isn't of that version.
CREATE OR REPLACE FUNCTION require_version(of_date date, of_time time, of_lab char(1), of_plot integer, wanted integer)
RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM FROM plot_checks
        WHERE date = of_date AND time = of_time AND lab_id = of_lab AND plot = of_plot AND version = wanted FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'The record is no longer of version %.', wanted USING ERRCODE = 'AB001';
    END IF;
END $$;

-- The content of an entry as the text that is hashed: PostgreSQL's own text of a JSON array.
CREATE OR REPLACE FUNCTION audit_content(entry audit) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT (jsonb_build_array(
        entry.lab_id, entry.sequence, entry.table_name, entry.key, entry.operation, entry.old, entry.new,
        entry.database_user, entry.application_user, entry.workstation,
        to_char(entry.moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), entry.transaction, entry.reason
    ) || CASE WHEN entry.typed IS NULL THEN '[]'
        ELSE jsonb_build_array(to_char(entry.typed AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) END)::text
$$;

-- Which row an entry is about: the columns of the primary key.
CREATE OR REPLACE FUNCTION audit_key(name text, content jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE name
        WHEN 'plot_checks' THEN jsonb_build_object('date', content -> 'date', 'time', content -> 'time',
            'lab_id', content -> 'lab_id', 'plot', content -> 'plot')
        WHEN 'lab_checks' THEN jsonb_build_object('date', content -> 'date', 'time', content -> 'time',
            'lab_id', content -> 'lab_id')
        WHEN 'plots' THEN jsonb_build_object('lab_id', content -> 'lab_id', 'plot', content -> 'plot')
        WHEN 'lab_members' THEN jsonb_build_object('lab_id', content -> 'lab_id', 'member', content -> 'member')
        WHEN 'value_marks' THEN jsonb_build_object('lab_id', content -> 'lab_id', 'id', content -> 'id')
        WHEN 'shift_notes' THEN jsonb_build_object('lab_id', content -> 'lab_id', 'id', content -> 'id')
        WHEN 'local_weather' THEN jsonb_build_object('datetime', content -> 'datetime')
        WHEN 'technician_logins' THEN jsonb_build_object('login', content -> 'login')
        WHEN 'destinations' THEN jsonb_build_object('name', content -> 'name')
        WHEN 'schema_version' THEN jsonb_build_object('version', content -> 'version')
        WHEN 'audit_baselines' THEN
            jsonb_build_object('table_name', content -> 'table_name', 'lab_id', content -> 'lab_id')
        ELSE jsonb_build_object('id', content -> 'id')
    END
$$;

-- A row as the audit keeps it. Where the audit of each lab stood when an extract was made is for who sees all labs, but
-- entries about deliveries are for all: they hold a hash of it.
CREATE OR REPLACE FUNCTION audit_row(name text, content jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN name = 'deliveries' AND content ->> 'audit_head' IS NOT NULL THEN content || jsonb_build_object(
            'audit_head', encode(sha256(convert_to(content ->> 'audit_head', 'UTF8')), 'hex'))
        ELSE content END
$$;

-- The highest version that a row of that key ever had; 0 if there was none. A record that is entered anew, moved or
-- brought back goes on from there: who has an older one open is told.
CREATE OR REPLACE FUNCTION last_version(name text, row_key jsonb) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT coalesce(max((coalesce(new, old) ->> 'version')::integer), 0) FROM audit
    WHERE key = row_key AND table_name = name
$$;

-- After the highest number there is comes 1 again, so that no row is ever stuck.
CREATE OR REPLACE FUNCTION next_version(present integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN present < 2147483647 THEN present + 1 ELSE 1 END
$$;

CREATE OR REPLACE FUNCTION begin_version() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM require_own_table(TG_RELID);
    NEW.version := next_version(last_version(TG_TABLE_NAME::text, audit_key(TG_TABLE_NAME::text, to_jsonb(NEW))));
    RETURN NEW;
END $$;

-- Whoever changes a row makes a new version of it, whatever the statement says.
CREATE OR REPLACE FUNCTION raise_version() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    row_key jsonb := audit_key(TG_TABLE_NAME::text, to_jsonb(NEW));
BEGIN
    PERFORM require_own_table(TG_RELID);
    NEW.version := next_version(CASE WHEN row_key = audit_key(TG_TABLE_NAME::text, to_jsonb(OLD)) THEN OLD.version
        ELSE greatest(OLD.version, last_version(TG_TABLE_NAME::text, row_key)) END);
    RETURN NEW;
END $$;

-- Whether a text, which says where the audit stood when an extract was made, holds a true entry of that lab: whoever
-- wrote it saw the lab, for nobody guesses a hash.
CREATE OR REPLACE FUNCTION names_entry(audit_head text, lab text) RETURNS boolean
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT EXISTS (
        SELECT FROM regexp_matches(audit_head, '([^ ]) ([0-9]{1,18}) ([0-9a-f]{64})', 'g') AS part
        JOIN audit ON audit.lab_id = part[1] AND sequence = part[2]::bigint AND hash = part[3]
        WHERE part[1] = lab
    )
$$;

-- Where labs are kept apart, an extract holds the records of the labs that its maker sees: changes of others don't
-- outdate it, nor tell its maker of themselves. Who it was is in the audit; from before that, nobody knows.
CREATE OR REPLACE FUNCTION may_hold_lab(delivery uuid, audit_head text, lab text) RETURNS boolean
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT NOT EXISTS (
        SELECT FROM audit JOIN pg_roles AS maker ON maker.rolname = database_user
        JOIN pg_class ON pg_class.oid = 'plot_checks'::regclass
        WHERE audit.key = jsonb_build_object('id', delivery) AND table_name = 'deliveries' AND operation = 'INSERT'
            AND NOT pg_has_role(maker.oid, relowner, 'MEMBER')
            AND NOT EXISTS (
                SELECT FROM pg_roles WHERE pg_has_role(maker.oid, pg_roles.oid, 'MEMBER')
                    AND (rolname = 'abq_qa' OR rolname IN (SELECT member FROM lab_members WHERE lab_id = lab))
            )
    ) OR coalesce(names_entry(audit_head, lab), false)
$$;

-- Adds an entry to the chain of the row's lab, and tells the windows. It runs with the rights of the tables' owner:
-- nobody else may write to the audit. The row of audit_heads is locked until the end of the transaction, so entries
-- of one lab follow each other. It is written once, at that end (see keep_head): written with each entry, its versions
-- would make every entry of a large transaction slower than the one before. A row that gets another key is another row:
-- the one has gone, the other is new.
CREATE OR REPLACE FUNCTION keep_audit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' AS $$
DECLARE
    entry audit;
    head record;
    latest record;
    before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    steps text[] := ARRAY[TG_OP];
    apart boolean := require_own_table(TG_RELID);
    typed timestamp with time zone := nullif(current_setting('abq.typed', true), '');
BEGIN
    IF TG_OP = 'UPDATE' AND audit_key(TG_TABLE_NAME::text, before) <> audit_key(TG_TABLE_NAME::text, after) THEN
        steps := ARRAY['DELETE', 'INSERT'];
    END IF;
    IF TG_TABLE_NAME = 'deliveries' THEN
        before := audit_row(TG_TABLE_NAME::text, before);
        after := audit_row(TG_TABLE_NAME::text, after);
    END IF;
    entry.table_name := TG_TABLE_NAME;
    entry.database_user := session_user;
    entry.application_user := nullif(left(current_setting('abq.application_user', true), 512), '');
    entry.workstation := nullif(left(current_setting('abq.workstation', true), 512), '');
    entry.reason := nullif(left(current_setting('abq.reason', true), 10000), '');
    entry.transaction := pg_current_xact_id()::text::bigint;

    FOREACH entry.operation IN ARRAY steps LOOP
        entry.old := CASE WHEN entry.operation <> 'INSERT' THEN before END;
        entry.new := CASE WHEN entry.operation <> 'DELETE' THEN after END;
        entry.key := audit_key(TG_TABLE_NAME::text, coalesce(entry.new, entry.old));
        entry.lab_id := coalesce(
            entry.key ->> 'lab_id', CASE TG_TABLE_NAME WHEN 'labs' THEN entry.key ->> 'id' END, '-'
        );
        SELECT sequence, hash INTO head FROM audit_heads WHERE lab_id = entry.lab_id FOR UPDATE;
        IF NOT FOUND THEN
            INSERT INTO audit_heads (lab_id, sequence, hash) VALUES (entry.lab_id, 0, '') ON CONFLICT DO NOTHING;
            SELECT sequence, hash INTO head FROM audit_heads WHERE lab_id = entry.lab_id FOR UPDATE;
        END IF;
        SELECT sequence, hash INTO latest FROM audit
            WHERE lab_id = entry.lab_id AND sequence > head.sequence ORDER BY sequence DESC LIMIT 1;
        IF FOUND THEN
            head := latest;
        END IF;
        entry.sequence := head.sequence + 1;
        entry.previous_hash := head.hash;
        entry.moment := clock_timestamp();
        -- Clocks differ: nothing is typed after it was here.
        entry.typed := CASE WHEN typed IS NOT NULL THEN least(typed, entry.moment) END;
        entry.hash := encode(sha256(convert_to(entry.previous_hash || audit_content(entry), 'UTF8')), 'hex');
        INSERT INTO audit SELECT entry.*;

        IF TG_TABLE_NAME = 'plot_checks' THEN
            UPDATE deliveries SET outdated = entry.moment
                WHERE date = (entry.key ->> 'date')::date AND outdated IS NULL AND state <> 'cancelled'
                    AND (NOT apart OR may_hold_lab(id, audit_head, entry.lab_id));
        END IF;

        -- Everybody can listen: where labs are kept apart, they hear that something was saved, and not what.
        IF TG_TABLE_NAME NOT IN ('local_weather', 'deliveries', 'schema_version', 'audit_baselines', 'lab_settings') THEN
            PERFORM pg_notify('abq_records', CASE WHEN apart THEN '' ELSE (entry.key || jsonb_build_object(
                'table', TG_TABLE_NAME, 'operation', entry.operation, 'by', entry.workstation))::text END);
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- At the end of a transaction: the head of each chain is its last entry.
CREATE OR REPLACE FUNCTION keep_head() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM require_own_table(TG_RELID);
    UPDATE audit_heads SET sequence = latest.sequence, hash = latest.hash
        FROM (SELECT sequence, hash FROM audit WHERE lab_id = NEW.lab_id ORDER BY sequence DESC LIMIT 1) AS latest
        WHERE lab_id = NEW.lab_id AND audit_heads.sequence < NEW.sequence;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: %.', TG_OP, TG_TABLE_NAME,
        CASE WHEN TG_TABLE_NAME LIKE 'audit%' THEN 'the audit only grows, by changes of the records'
            WHEN TG_TABLE_NAME = 'value_marks' THEN 'a mark is closed, and stays'
            WHEN TG_TABLE_NAME = 'shift_notes' THEN 'a note is done, and stays'
            ELSE 'rows are deleted one by one, so that the audit knows of each' END
        USING ERRCODE = 'insufficient_privilege';
END $$;

-- An observation stays as it was recorded: only what was empty is filled, with what is said of its quality. It takes
-- the place of what a model computed for its moment. The owner may correct it, and the audit keeps how it was.
CREATE OR REPLACE FUNCTION keep_observation() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RETURN NEW;
    END IF;
    IF OLD.kind = 'model' AND NEW.kind = 'observed' AND NEW.datetime = OLD.datetime THEN
        RETURN NEW;
    END IF;
    IF EXISTS (
        SELECT FROM jsonb_each(to_jsonb(OLD) - 'quality') AS stood
        WHERE stood.value <> 'null' AND to_jsonb(NEW) -> stood.key IS DISTINCT FROM stood.value
    ) THEN
        RAISE EXCEPTION 'A weather observation stays as it was recorded; only what is empty can be filled.'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

-- Who was given more than the roles have still removes nothing and moves nothing: that is done by the functions below,
-- which run with the rights of the owner.
CREATE OR REPLACE FUNCTION keep_in_place() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION 'Records are withdrawn by withdraw_record and moved by move_record, which ask for the reason.'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

-- A window that was open when the tables became newer saves nothing more. Windows say which version they know (older
-- ones than 4 don't, but name their computer). Those keep what is saved in their journal only for a database that can't
-- be written to, so this is what they are told.
CREATE OR REPLACE FUNCTION refuse_older_window() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    known text := coalesce(current_setting('abq.schema', true), '');
BEGIN
    IF coalesce(current_setting('abq.workstation', true), '') <> '' AND (known = '' OR known::integer < 7) THEN
        RAISE EXCEPTION 'The database was brought to a newer version. Close this window and install the newer version.'
            USING ERRCODE = CASE known WHEN '' THEN '25006' ELSE 'AB004' END;
    END IF;
    RETURN NULL;
END $$;

-- Names that a list couldn't tell apart, or that mean something else there, aren't taken. What is there already stays.
CREATE OR REPLACE FUNCTION refuse_name() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    other text;
BEGIN
    PERFORM require_own_table(TG_RELID);
    IF TG_OP = 'UPDATE' AND NEW.name = OLD.name THEN
        RETURN NEW;
    END IF;
    IF NEW.name !~ '[^0-9[:space:]]' OR lower(btrim(NEW.name)) = 'any' THEN
        RAISE EXCEPTION 'A technician can''t be called %.', quote_literal(NEW.name) USING ERRCODE = 'check_violation';
    END IF;
    -- Of two that come at once the second waits, and sees the first.
    PERFORM FROM schema_version FOR NO KEY UPDATE;
    SELECT name INTO other FROM lab_techs
        WHERE id <> NEW.id AND lower(regexp_replace(name, '[[:space:]]', '', 'g'))
            = lower(regexp_replace(NEW.name, '[[:space:]]', '', 'g'));
    IF FOUND THEN
        RAISE EXCEPTION 'There is a technician % already.', other USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NEW;
END $$;

-- Whether a text is one letter, by the blocks of Unicode that hold marks, blanks and symbols, whatever the locale.
CREATE OR REPLACE FUNCTION is_letter(id text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT char_length(id) = 1 AND (
        ascii(id) BETWEEN 65 AND 90 OR ascii(id) BETWEEN 97 AND 122
        OR ascii(id) >= 192 AND ascii(id) NOT IN (215, 247) AND ascii(id) NOT BETWEEN 688 AND 879
            AND ascii(id) NOT BETWEEN 8192 AND 11263 AND ascii(id) NOT BETWEEN 11776 AND 12351
            AND ascii(id) NOT BETWEEN 55296 AND 63743 AND ascii(id) NOT BETWEEN 64976 AND 65312
            AND ascii(id) NOT BETWEEN 65500 AND 66175 AND ascii(id) NOT BETWEEN 118784 AND 131071
            AND ascii(id) < 262144
    )
$$;

CREATE OR REPLACE FUNCTION refuse_letter() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    -- Where the locale knows no others than ASCII, lower() does no more.
    capitals text := 'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞ';
    small text := 'àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþ';
BEGIN
    PERFORM require_own_table(TG_RELID);
    IF TG_OP = 'UPDATE' AND NEW.id = OLD.id THEN
        RETURN NEW;
    END IF;
    IF NOT is_letter(NEW.id) THEN
        RAISE EXCEPTION 'A lab is one letter, not %.', quote_literal(NEW.id) USING ERRCODE = 'check_violation';
    END IF;
    PERFORM FROM schema_version FOR NO KEY UPDATE;
    IF EXISTS (
        SELECT FROM labs
        WHERE id <> NEW.id AND lower(translate(id, capitals, small)) = lower(translate(NEW.id, capitals, small))
    ) THEN
        RAISE EXCEPTION 'There is a lab % already.', translate(upper(NEW.id), small, capitals)
            USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NEW;
END $$;

-- An extract that reaches the table late, because the database was away say, may be outdated by then: a lab of the day
-- has entries after those that went with it, or records though none went with it. Where labs are kept apart, only labs
-- count that whoever adds it sees, or saw.
CREATE OR REPLACE FUNCTION find_outdated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    seen text[] := seen_labs(asking_role());
    heads jsonb := coalesce((
        SELECT jsonb_object_agg(part[1], part[2])
        FROM regexp_matches(NEW.audit_head, '([^ ]) ([0-9]{1,18}) [0-9a-f]{64}', 'g') AS part
        WHERE seen IS NULL OR part[1] = ANY (seen) OR names_entry(NEW.audit_head, part[1])
    ), '{}');
BEGIN
    PERFORM require_own_table(TG_RELID);
    IF EXISTS (
        SELECT FROM jsonb_each_text(heads) AS head
        JOIN audit ON audit.lab_id = head.key AND audit.sequence > head.value::bigint
        WHERE audit.table_name = 'plot_checks' AND audit.key -> 'date' = to_jsonb(NEW.date)
    ) OR EXISTS (
        SELECT FROM plot_checks
        WHERE date = NEW.date AND NOT heads ? lab_id::text AND (seen IS NULL OR lab_id = ANY (seen))
    ) THEN
        NEW.outdated := clock_timestamp();
    END IF;
    RETURN NEW;
END $$;

-- The version of an extract follows those before it, but for some that reach the table late: one that left no number
-- after it would stop all later ones.
CREATE OR REPLACE FUNCTION bound_version() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM require_own_table(TG_RELID);
    IF NEW.version > 1000 + coalesce((
        SELECT max(version) FROM deliveries
        WHERE date = NEW.date AND file_name = NEW.file_name AND destination = NEW.destination
    ), 0) THEN
        RAISE EXCEPTION 'The version % of an extract of % doesn''t follow those before it.', NEW.version, NEW.date
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- Only names of regions, as America/Denver: PostgreSQL would take any word, such as MTZ7, for an offset from UTC.
CREATE OR REPLACE FUNCTION refuse_time_zone() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_timezone_names WHERE name = NEW.time_zone) THEN
        RAISE EXCEPTION 'The server knows no time zone %.', quote_literal(NEW.time_zone)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SELECT name FROM pg_timezone_names lists them.';
    END IF;
    RETURN NEW;
END $$;

-- The kinds of destinations; which of them a workstation can send to is a matter of its version.
CREATE OR REPLACE FUNCTION destination_kinds() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT ARRAY['rest', 'ftp', 'ftps', 'sftp', 'webdav', 'folder', 'brapi', 'email', 'xmlrpc', 's3']
$$;

-- Whether a text can be the name or number of a host, with or without a port behind it, so that programs can look it up.
CREATE OR REPLACE FUNCTION can_be_host(place text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
DECLARE
    host text := regexp_replace(place, '(?<=[^:]):[0-9]{1,5}$', '');
    port integer := nullif(substr(place, length(host) + 2), '')::integer;
BEGIN
    IF port NOT BETWEEN 1 AND 65535 THEN
        RETURN false;
    ELSIF host ~ '^\[[0-9A-Fa-f:.]+\]$' THEN
        RETURN family(btrim(host, '[]')::inet) = 6;
    ELSIF host ~ '(^|[.])[0-9]+$' THEN -- a number as the last part: resolvers take it for an address
        RETURN host ~ '^[0-9]+([.][0-9]+){3}$' AND family(host::inet) = 4;
    END IF;
    RETURN octet_length(host) <= 253 AND host !~ '[^.]{64}'
        AND host ~ '^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?([.][A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$';
EXCEPTION WHEN invalid_text_representation THEN -- no such number of a host
    RETURN false;
END $$;

-- Whether a text can be the address of a web service, without user, password, query and fragment.
CREATE OR REPLACE FUNCTION can_be_url(address text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT coalesce(can_be_host(substring(address FROM '^https?://([^/]*)')), false)
        -- Nothing that can't be seen, and nothing that some programs take for another character.
        AND address !~ '[?#@\\^`{|}<>"[:space:]\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]'
$$;

-- Why a destination can't be as it says, as a sentence; NULL if it can. Programs ask the same before they use one.
CREATE OR REPLACE FUNCTION destination_problem(wanted destinations) RETURNS text
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    each record;
    called text := replace(replace(wanted.file_name, '{date}', '2026-11-21'), '{lab}', 'A');
BEGIN
    IF wanted.name !~ '^[a-z][a-z0-9_-]{0,39}$' THEN
        RETURN 'A destination is called by 1 to 40 small letters, digits, - and _, and begins with a letter.';
    ELSIF wanted.name = ANY (destination_kinds()) THEN
        RETURN 'A destination can''t be called like a kind of destination.';
    ELSIF NOT wanted.kind = ANY (destination_kinds()) THEN
        RETURN format('The kind of a destination is one of: %s.', array_to_string(destination_kinds(), ', '));
    END IF;
    FOR each IN
        SELECT * FROM (VALUES ('address', wanted.address, 1000), ('login address', wanted.login_address, 1000),
            ('folder', wanted.folder, 1000), ('name of the file', wanted.file_name, 120),
            ('user name', wanted.username, 200)) AS texts (what, text, longest)
    LOOP
        -- Control characters, and those that change the direction of what follows.
        IF each.text ~ '[\u0001-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]' OR each.text <> btrim(each.text) THEN
            RETURN format('The %s must not begin or end with a blank, or hold line breaks and the like.', each.what);
        ELSIF octet_length(each.text) > each.longest THEN
            RETURN format('The %s is too long: at most %s bytes.', each.what, each.longest);
        END IF;
    END LOOP;
    IF wanted.kind IN ('rest', 'webdav', 'brapi', 'xmlrpc', 's3') THEN
        IF NOT can_be_url(wanted.address) THEN
            RETURN 'The address must be one as https://example.com/upload, without user, password, ? and #.';
        ELSIF wanted.login_address <> ''
                AND (wanted.kind IN ('webdav', 'xmlrpc', 's3') OR NOT can_be_url(wanted.login_address)) THEN
            RETURN 'A login address is for the kinds rest and brapi, and one as https://example.com/auth.';
        END IF;
    ELSIF wanted.kind = 'email' THEN
        IF EXISTS (
            SELECT FROM regexp_split_to_table(wanted.address, ', *') AS receiver
            WHERE receiver !~ '^[^<>,;:@"()[:space:]]+@[^<>,;:@"()[:space:]]+$'
                AND receiver !~ '^[^<>,;@"]+<[^<>,;:@"()[:space:]]+@[^<>,;:@"()[:space:]]+>$'
        ) THEN
            RETURN 'The address must be one as qa@example.com or QA <qa@example.com>, or several with commas.';
        ELSIF wanted.login_address <> '' AND NOT (wanted.login_address ~ '^smtps?://[^/]+$'
                AND can_be_host(substring(wanted.login_address FROM '^smtps?://(.*)$'))) THEN
            RETURN 'The login address of the kind email is its server, as smtp://mail.example.com:587 or smtps://.';
        ELSIF wanted.folder <> '' THEN
            RETURN 'The kind email has no folder.';
        END IF;
    ELSIF wanted.kind = 'sftp' AND wanted.login_address <> '' THEN
        IF NOT can_be_host(wanted.address) THEN
            RETURN 'The address must be a host, or a host and a port as files.example.com:2222.';
        ELSIF NOT coalesce(
            can_be_host(substring(wanted.login_address FROM '^ssh://(?:[A-Za-z0-9_.-]{1,64}@)?([^@/]*)$')), false
        ) THEN
            RETURN 'The login address of the kind sftp is a host to go through, as ssh://lab@jump.example.com:22.';
        END IF;
    ELSIF wanted.login_address <> '' THEN
        RETURN 'A login address is for the kinds rest, brapi, email and sftp.';
    ELSIF wanted.kind = 'folder' THEN
        IF wanted.address !~ '^(/|[A-Za-z]:[\\/]|\\\\[^\\])' OR wanted.address ~ '(^|[\\/])\.\.([\\/]|$)' THEN
            RETURN 'The address must be the whole path of a folder: from / on, in Windows from the drive or \\server on,'
                ' without ..';
        ELSIF wanted.folder <> '' OR wanted.username <> '' THEN
            RETURN 'The kind folder has its path as address, and neither a folder in it nor a user name.';
        END IF;
    ELSIF NOT can_be_host(wanted.address) THEN
        RETURN 'The address must be a host, or a host and a port as files.example.com:2222.';
    END IF;
    IF wanted.kind = 'rest' AND wanted.folder <> '' THEN
        RETURN 'The kind rest has no folder.';
    ELSIF wanted.kind = 'xmlrpc' AND wanted.folder !~ '^[A-Za-z0-9_.:/]{0,100}$' THEN
        RETURN 'The folder of the kind xmlrpc is the method that is called, as abq.upload: letters, digits and _.:/';
    ELSIF wanted.kind = 'brapi' AND (wanted.contents <> 'records' OR wanted.checksum) THEN
        RETURN 'By brapi go the records of the day''s extract, and no file beside it.';
    ELSIF wanted.folder ~ '[\\{}]' OR wanted.folder ~ '(^|/)[.]{1,2}(/|$)' OR wanted.folder ~ '(^|/)([-~]|\s)' THEN
        RETURN 'The folder must have / between folders, and be no . or .., nor begin with - or ~.';
    ELSIF called ~ '[{}]' THEN
        RETURN 'The name of the file knows {date} and {lab} only.';
    ELSIF called ~ '\.\.' OR called !~ '^\w([\w .,()+=@%-]*[\w)+=@%-])?$' THEN
        RETURN 'The name of the file must be of letters, digits, blanks and .,()+=@%_- only, begin with a letter or a'
            ' digit, not end with a dot, and hold no two dots in a row.';
    ELSIF wanted.contents <> 'records' AND NOT (wanted.contents = ANY (qa_views())) THEN
        RETURN format('There is no view %s to be sent; records are the day''s extract.', quote_literal(wanted.contents));
    ELSIF wanted.format NOT IN ('csv', 'xlsx', 'parquet') OR wanted.contents = 'records' AND wanted.format <> 'csv' THEN
        RETURN 'The format is csv, and for a view also xlsx or parquet.';
    ELSIF wanted.file_name !~ ('[.]' || wanted.format || '$') THEN
        RETURN format('The name of the file must end with .%s, as its format is.', wanted.format);
    ELSIF wanted.contents <> 'records' AND wanted.file_name ~ '\{lab\}' THEN
        RETURN 'Only the name of the day''s extract knows {lab}.';
    ELSIF wanted.login_method <> '' AND wanted.kind NOT IN ('rest', 'brapi', 'xmlrpc', 'email') THEN
        RETURN 'A login method is for the kinds rest, brapi, xmlrpc and email.';
    ELSIF wanted.kind = 'email' AND wanted.login_method NOT IN ('', 'none') THEN
        RETURN 'The login method of the kind email is none, where nobody logs in; else it is empty.';
    ELSIF wanted.kind = 'xmlrpc' AND wanted.login_method NOT IN ('', 'basic', 'none') THEN
        RETURN 'The login method of the kind xmlrpc is basic, or none where nobody logs in.';
    ELSIF wanted.login_method NOT IN ('', 'cookie', 'token', 'api-key', 'basic', 'oauth2')
            AND wanted.kind NOT IN ('xmlrpc', 'email')
            OR wanted.kind = 'brapi' AND wanted.login_method = 'cookie' THEN
        RETURN 'The login method is cookie (rest), token, api-key, basic or oauth2.';
    ELSIF wanted.login_address <> '' AND wanted.login_method IN ('api-key', 'basic') THEN
        RETURN format('A login by %s goes with each file: it has no address.', wanted.login_method);
    ELSIF wanted.login_header <> ''
            AND (wanted.login_method <> 'api-key' OR wanted.login_header !~ '^[A-Za-z0-9!#$%&''*+.^_`|~-]{1,100}$') THEN
        RETURN 'A login header is for the login method api-key, and the name of a header as X-API-Key.';
    ELSIF wanted.login_scope <> '' AND (wanted.login_method <> 'oauth2' OR octet_length(wanted.login_scope) > 1000
            OR wanted.login_scope !~ '^[!#-\[\]-~]+( [!#-\[\]-~]+)*$') THEN
        RETURN 'A login scope is for the login method oauth2: words with one blank between them, without " and \.';
    ELSIF (wanted.login_method NOT IN ('', 'cookie', 'none')
            OR wanted.kind = 'brapi' OR wanted.kind = 'xmlrpc' AND wanted.login_method <> 'none') AND EXISTS (
        SELECT FROM unnest(ARRAY[wanted.address, wanted.login_address]) AS url
        WHERE url ~ '^http://' AND url !~* '^http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?(/|$)'
    ) THEN
        RETURN 'This login needs addresses that begin with https://: on the way it could be read.';
    ELSIF wanted.schedule NOT IN ('by hand', 'when a check is complete')
            AND wanted.schedule !~ '^every day at ([01][0-9]|2[0-3]):[0-5][0-9]$' THEN
        RETURN 'The schedule is: by hand, when a check is complete, or every day at a time as 20:30.';
    END IF;
    RETURN NULL;
END $$;

-- A destination keeps its name and its kind: what waits to be delivered there names both.
CREATE OR REPLACE FUNCTION refuse_destination() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    problem text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.name, NEW.kind) <> (OLD.name, OLD.kind) THEN
            RAISE EXCEPTION 'A destination keeps its name and its kind: add another one, then remove %.', OLD.name
                USING ERRCODE = 'check_violation', HINT = 'Nothing was changed.';
        END IF;
        NEW.scheduled := CASE WHEN NEW.schedule = OLD.schedule THEN OLD.scheduled ELSE clock_timestamp() END;
    ELSE
        NEW.scheduled := clock_timestamp();
    END IF;
    problem := destination_problem(NEW);
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'check_violation', HINT = 'Nothing was changed.';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION tell_presence() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_notify('abq_presence', '');
    RETURN NULL;
END $$;

-- Marks go where their record goes. A correction of a value that QA asked about answers the question; one that brings
-- the value back which QA asked about opens it again.
CREATE OR REPLACE FUNCTION keep_marks() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    place jsonb := record_key(OLD.date, OLD.time, OLD.lab_id, OLD.plot);
    before jsonb := to_jsonb(OLD);
    after jsonb;
BEGIN
    PERFORM require_own_table(TG_RELID);
    IF NOT EXISTS (
        SELECT FROM value_marks
        WHERE date = OLD.date AND time = OLD.time AND lab_id = OLD.lab_id AND plot = OLD.plot AND gone IS NULL
    ) THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        UPDATE value_marks SET event = 'withdrawn', said = nullif(current_setting('abq.reason', true), ''),
                who = present_person(), changed = clock_timestamp(), gone = (
                    SELECT max(sequence) FROM audit WHERE key = place AND table_name = 'plot_checks')
            WHERE date = OLD.date AND time = OLD.time AND lab_id = OLD.lab_id AND plot = OLD.plot AND gone IS NULL;
        RETURN NULL;
    END IF;
    IF (NEW.date, NEW.time, NEW.lab_id, NEW.plot) <> (OLD.date, OLD.time, OLD.lab_id, OLD.plot) THEN
        UPDATE value_marks SET date = NEW.date, time = NEW.time, lab_id = NEW.lab_id, plot = NEW.plot, event = 'moved',
                said = format('from %s', record_name(place)), who = present_person(), changed = clock_timestamp()
            WHERE date = OLD.date AND time = OLD.time AND lab_id = OLD.lab_id AND plot = OLD.plot AND gone IS NULL;
    END IF;
    after := to_jsonb(NEW);
    UPDATE value_marks AS m
        SET status = became.status, event = CASE became.status WHEN 'open' THEN 'restored' ELSE 'corrected' END,
            said = CASE m.field WHEN 'record' THEN nullif(current_setting('abq.reason', true), '')
                ELSE format('%s, was %s', coalesce(became.value, 'empty'), coalesce(became.was, 'empty')) END,
            who = present_person(), changed = clock_timestamp()
        FROM value_marks AS asked
        CROSS JOIN LATERAL (
            SELECT field_value(asked.field, before) AS was, field_value(asked.field, after) AS value,
                CASE WHEN field_value(asked.field, after) IS NOT DISTINCT FROM asked.value AND asked.field <> 'record'
                    THEN CASE WHEN asked.answered > asked.marked THEN 'answered' ELSE 'open' END
                    ELSE 'corrected' END AS status
        ) AS became
        WHERE asked.date = NEW.date AND asked.time = NEW.time AND asked.lab_id = NEW.lab_id AND asked.plot = NEW.plot
            AND asked.gone IS NULL AND asked.state = 'queried' AND asked.status <> 'closed' AND m.id = asked.id
            AND CASE asked.field WHEN 'record' THEN record_readings(before) <> record_readings(after)
                ELSE became.value IS DISTINCT FROM became.was END;
    RETURN NULL;
END $$;

-- Windows that are open hear that the tables are of another version now.
CREATE OR REPLACE FUNCTION tell_schema() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_notify('abq_schema', '');
    RETURN NULL;
END $$;

DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT '' AS kind, name AS table_name, trigger_name, format(definition, name) AS definition
        FROM unnest(ARRAY[
                'plot_checks', 'lab_checks', 'plots', 'labs', 'lab_members', 'lab_techs', 'local_weather',
                'technician_logins', 'deliveries', 'schema_version', 'audit_baselines', 'lab_settings', 'value_marks',
                'shift_notes', 'destinations'
            ]) AS name,
            LATERAL (VALUES
                ('keep_audit_of_new', 'AFTER INSERT OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION keep_audit()'),
                -- That a record was changed later isn't the delivery's own change.
                ('keep_audit_of_changes', 'AFTER UPDATE ON %I FOR EACH ROW WHEN ('
                    || CASE name WHEN 'deliveries' THEN
                        'to_jsonb(OLD) - ''outdated'' IS DISTINCT FROM to_jsonb(NEW) - ''outdated'''
                    ELSE 'OLD.* IS DISTINCT FROM NEW.*' END || ') EXECUTE FUNCTION keep_audit()'),
                ('refuse_truncate', 'BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()')
            ) AS each (trigger_name, definition)
        UNION ALL
        SELECT '', name, 'raise_version', format('BEFORE UPDATE ON %I FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)'
            ' EXECUTE FUNCTION raise_version()', name)
        FROM unnest(ARRAY['plot_checks', 'lab_checks']) AS name
        UNION ALL
        SELECT '', name, trigger_name, format(definition, name)
        FROM unnest(ARRAY['plot_checks', 'lab_checks']) AS name,
            (VALUES
                ('begin_version', 'BEFORE INSERT ON %I FOR EACH ROW EXECUTE FUNCTION begin_version()'),
                ('keep_in_place', 'BEFORE DELETE OR UPDATE OF date, time, lab_id ON %I'
                    ' FOR EACH ROW EXECUTE FUNCTION keep_in_place()'),
                ('refuse_older_window', 'BEFORE INSERT OR UPDATE OR DELETE ON %I'
                    ' FOR EACH STATEMENT EXECUTE FUNCTION refuse_older_window()')
            ) AS each (trigger_name, definition)
        UNION ALL
        VALUES
            ('', 'plot_checks', 'keep_plot', 'BEFORE UPDATE OF plot ON plot_checks'
                ' FOR EACH ROW EXECUTE FUNCTION keep_in_place()'),
            -- After those that keep the audit: they look for its entry.
            ('', 'plot_checks', 'keep_marks', 'AFTER UPDATE ON plot_checks'
                ' FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION keep_marks()'),
            ('', 'plot_checks', 'keep_marks_of_gone', 'AFTER DELETE ON plot_checks'
                ' FOR EACH ROW EXECUTE FUNCTION keep_marks()'),
            ('', 'value_marks', 'refuse_delete', 'BEFORE DELETE ON value_marks'
                ' FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()'),
            ('', 'shift_notes', 'refuse_delete', 'BEFORE DELETE ON shift_notes'
                ' FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()'),
            ('', 'lab_techs', 'refuse_name', 'BEFORE INSERT OR UPDATE OF name ON lab_techs'
                ' FOR EACH ROW EXECUTE FUNCTION refuse_name()'),
            ('', 'labs', 'refuse_letter', 'BEFORE INSERT OR UPDATE OF id ON labs'
                ' FOR EACH ROW EXECUTE FUNCTION refuse_letter()'),
            ('', 'deliveries', 'find_outdated', 'BEFORE INSERT ON deliveries'
                ' FOR EACH ROW WHEN (NEW.audit_head IS NOT NULL) EXECUTE FUNCTION find_outdated()'),
            ('', 'deliveries', 'bound_version', 'BEFORE INSERT ON deliveries'
                ' FOR EACH ROW EXECUTE FUNCTION bound_version()'),
            ('CONSTRAINT', 'audit', 'keep_head', 'AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED'
                ' FOR EACH ROW EXECUTE FUNCTION keep_head()'),
            ('', 'audit', 'refuse_change', 'BEFORE UPDATE OR DELETE OR TRUNCATE ON audit'
                ' FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()'),
            ('', 'audit', 'refuse_entry', 'BEFORE INSERT ON audit'
                ' FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change()'),
            ('', 'audit_heads', 'refuse_change', 'BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON audit_heads'
                ' FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change()'),
            ('', 'lab_settings', 'refuse_time_zone', 'BEFORE INSERT OR UPDATE OF time_zone ON lab_settings'
                ' FOR EACH ROW EXECUTE FUNCTION refuse_time_zone()'),
            ('', 'destinations', 'refuse_destination', 'BEFORE INSERT OR UPDATE ON destinations'
                ' FOR EACH ROW EXECUTE FUNCTION refuse_destination()'),
            ('', 'local_weather', 'keep_observation', 'BEFORE UPDATE ON local_weather'
                ' FOR EACH ROW EXECUTE FUNCTION keep_observation()'),
            ('', 'check_presence', 'tell_presence', 'AFTER INSERT OR UPDATE OR DELETE ON check_presence'
                ' FOR EACH STATEMENT EXECUTE FUNCTION tell_presence()'),
            ('', 'schema_version', 'tell_schema', 'AFTER INSERT ON schema_version'
                ' FOR EACH STATEMENT EXECUTE FUNCTION tell_schema()')
    LOOP
        IF NOT EXISTS (
            SELECT FROM pg_trigger WHERE tgrelid = wanted.table_name::regclass AND tgname = wanted.trigger_name
        ) THEN
            EXECUTE format('CREATE %s TRIGGER %I %s', wanted.kind, wanted.trigger_name, wanted.definition);
        END IF;
    END LOOP;
END $$;

-- ------------------------------------------------------------------------------------------------- mistakes undone
-- Records are withdrawn, brought back, moved and corrected together by these functions alone, each with a reason that
-- goes into the audit with the whole row: for example
--
--     SELECT withdraw_record('2026-11-21', '8:00', 'A', 3, 'typed twice');
--
-- A supervisor may do so with all records, others within 24 hours with those that their own login entered first. Where
-- many share one login the application keeps that rule for persons: it sets abq.person_rules, and then a login that is no
-- technician's own (technician_logins) has to name the person who entered the record.
--
-- SQLSTATE of their errors: AB001, the record is of another version by now; AB002, there is none; AB003, another record
-- has that place; 42501, somebody else may do it; 22023, the reason is missing or the request makes no sense.

CREATE OR REPLACE FUNCTION keeps_person_rules() RETURNS boolean
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT coalesce(current_setting('abq.person_rules', true), '') = 'on'
$$;

CREATE OR REPLACE FUNCTION acts_for_all() RETURNS boolean
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT CASE WHEN pg_has_role(asking_role(), relowner, 'USAGE') THEN NOT keeps_person_rules()
        ELSE EXISTS (
            SELECT FROM pg_roles WHERE rolname = 'abq_supervisor' AND pg_has_role(asking_role(), pg_roles.oid, 'USAGE')
        ) END
    FROM pg_class WHERE pg_class.oid = 'plot_checks'::regclass
$$;

CREATE OR REPLACE FUNCTION is_asker(entry audit) RETURNS boolean
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT entry.database_user = session_user AND (
        NOT keeps_person_rules()
        OR EXISTS (SELECT FROM technician_logins WHERE login = session_user)
        OR entry.application_user IS NOT DISTINCT FROM nullif(current_setting('abq.application_user', true), '')
    )
$$;

CREATE OR REPLACE FUNCTION record_key(of_date date, of_time time, of_lab char(1), of_plot integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT jsonb_build_object('date', of_date, 'time', of_time, 'lab_id', of_lab, 'plot', of_plot)
$$;

CREATE OR REPLACE FUNCTION record_name(of_key jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT format('%s %s, lab %s, plot %s', of_key ->> 'date', to_char((of_key ->> 'time')::time, 'FMHH24:MI'),
        of_key ->> 'lab_id', of_key ->> 'plot')
$$;

-- What a row says besides its place; with columns that came later, a newer row still holds all of an older one.
CREATE OR REPLACE FUNCTION record_readings(content jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT content - ARRAY['date', 'time', 'lab_id', 'plot', 'version']
$$;

-- Where a row came from that an entry made: the entry that took it away elsewhere in the same transaction, right before
-- it in its chain, or in that of another lab.
CREATE OR REPLACE FUNCTION moved_from(made audit) RETURNS audit
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    taken audit;
BEGIN
    SELECT * INTO taken FROM audit
        WHERE lab_id = made.lab_id AND sequence = made.sequence - 1 AND transaction = made.transaction
            AND table_name = 'plot_checks' AND operation = 'DELETE' AND key <> made.key
            AND made.new @> record_readings(old);
    IF NOT FOUND THEN
        SELECT * INTO taken FROM audit
            WHERE moment BETWEEN made.moment - interval '1 minute' AND made.moment + interval '1 minute'
                AND transaction = made.transaction AND lab_id <> made.lab_id
                AND table_name = 'plot_checks' AND operation = 'DELETE' AND key ->> 'plot' IS NOT NULL
                AND made.new @> record_readings(old)
            ORDER BY moment <= made.moment DESC, abs(extract(epoch FROM moment - made.moment)) LIMIT 1;
    END IF;
    RETURN taken;
END $$;

-- The entry with which a record was entered first, wherever it stood then; all NULL for one from before the audit. Of
-- several that stood there one after the other it is the last before that number.
CREATE OR REPLACE FUNCTION first_entry(of_key jsonb, before bigint) RETURNS audit
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    made audit;
    taken audit;
BEGIN
    LOOP
        SELECT * INTO made FROM audit
            WHERE key = of_key AND table_name = 'plot_checks' AND operation = 'INSERT' AND sequence < before
            ORDER BY sequence DESC LIMIT 1;
        EXIT WHEN made.sequence IS NULL;
        taken := moved_from(made);
        IF taken.sequence IS NULL AND made.reason IS NOT NULL THEN -- brought back?
            SELECT * INTO taken FROM audit
                WHERE key = of_key AND table_name = 'plot_checks' AND operation = 'DELETE' AND sequence < made.sequence
                    AND made.new @> record_readings(old)
                ORDER BY sequence DESC LIMIT 1;
        END IF;
        EXIT WHEN taken.sequence IS NULL;
        of_key := taken.key;
        before := taken.sequence;
    END LOOP;
    RETURN made;
END $$;

CREATE OR REPLACE FUNCTION require_right(of_key jsonb, before bigint DEFAULT 9223372036854775807) RETURNS void
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    made audit;
BEGIN
    IF acts_for_all() THEN
        RETURN;
    END IF;
    made := first_entry(of_key, before);
    IF made.sequence IS NULL THEN
        RAISE EXCEPTION 'Who entered the record of % first is not known: a supervisor may do this.', record_name(of_key)
            USING ERRCODE = 'insufficient_privilege', HINT = 'Nothing was changed.';
    ELSIF NOT is_asker(made) THEN
        RAISE EXCEPTION '% entered the record of % first: that person, within 24 hours, or a supervisor may do this.',
            CASE WHEN made.database_user <> session_user THEN made.database_user
                ELSE coalesce(made.application_user, made.database_user) END,
            record_name(of_key) USING ERRCODE = 'insufficient_privilege', HINT = 'Nothing was changed.';
    ELSIF made.moment < clock_timestamp() - interval '24 hours' THEN
        RAISE EXCEPTION 'The record of % was entered more than 24 hours ago: a supervisor may do this.',
            record_name(of_key) USING ERRCODE = 'insufficient_privilege', HINT = 'Nothing was changed.';
    END IF;
END $$;

-- The reason for the audit from now on; returns the one before, to be set again.
CREATE OR REPLACE FUNCTION set_reason(why text) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    former text := coalesce(current_setting('abq.reason', true), '');
BEGIN
    PERFORM set_config('abq.reason', why, true);
    RETURN former;
END $$;

-- How each of them begins: with a reason, labs that the asker sees, and those labs in the order of their letters: the
-- entries of a lab follow each other, and who waits for a lab holds none after it.
CREATE OR REPLACE FUNCTION begin_undo(why text, VARIADIC of_labs text[]) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    seen char(1)[] := seen_labs(asking_role());
    lab text;
BEGIN
    IF coalesce(btrim(why, E' \t\n\r'), '') = '' THEN
        RAISE EXCEPTION 'A reason is required.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR lab IN SELECT DISTINCT each FROM unnest(of_labs) AS each WHERE each IS NOT NULL ORDER BY 1 LOOP
        IF seen IS NOT NULL AND lab <> ALL (seen) THEN
            RAISE EXCEPTION 'This login does not belong to lab %.', lab
                USING ERRCODE = 'insufficient_privilege', HINT = 'Nothing was changed.';
        END IF;
        PERFORM lock_lab(lab);
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION hold_record(of_key jsonb, wanted_version integer) RETURNS plot_checks
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    present plot_checks;
BEGIN
    SELECT * INTO present FROM plot_checks
        WHERE date = (of_key ->> 'date')::date AND time = (of_key ->> 'time')::time AND lab_id = (of_key ->> 'lab_id')::bpchar
            AND plot = (of_key ->> 'plot')::smallint FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no record of %.', record_name(of_key) USING ERRCODE = 'AB002', DETAIL = of_key::text;
    ELSIF present.version <> wanted_version THEN
        RAISE EXCEPTION 'The record of % was changed meanwhile.', record_name(of_key)
            USING ERRCODE = 'AB001', DETAIL = of_key::text;
    END IF;
    RETURN present;
END $$;

CREATE OR REPLACE FUNCTION require_free(of_key jsonb) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (
        SELECT FROM plot_checks
        WHERE date = (of_key ->> 'date')::date AND time = (of_key ->> 'time')::time AND lab_id = (of_key ->> 'lab_id')::bpchar
            AND plot = (of_key ->> 'plot')::smallint
    ) THEN
        RAISE EXCEPTION 'There is a record of % already.', record_name(of_key)
            USING ERRCODE = 'AB003', DETAIL = of_key::text;
    END IF;
END $$;

-- A record needs its check. One that has gone comes back with the technician it had, else it is the record's.
CREATE OR REPLACE FUNCTION ensure_check(of_key jsonb, technician smallint, as_it_was boolean) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    former audit;
BEGIN
    IF as_it_was THEN
        SELECT * INTO former FROM audit WHERE key = of_key - 'plot' AND table_name = 'lab_checks'
            ORDER BY sequence DESC LIMIT 1;
    END IF;
    INSERT INTO lab_checks (date, time, lab_id, lab_tech_id)
        VALUES ((of_key ->> 'date')::date, (of_key ->> 'time')::time, of_key ->> 'lab_id', coalesce(
            (SELECT id FROM lab_techs WHERE former.operation = 'DELETE' AND id = (former.old ->> 'lab_tech_id')::smallint),
            technician))
        ON CONFLICT (date, time, lab_id) DO NOTHING;
END $$;

-- A check without a record is none.
CREATE OR REPLACE FUNCTION drop_empty_check(of_key jsonb) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
    DELETE FROM lab_checks AS c
    WHERE c.date = (of_key ->> 'date')::date AND c.time = (of_key ->> 'time')::time AND c.lab_id = (of_key ->> 'lab_id')::bpchar
        AND NOT EXISTS (SELECT FROM plot_checks AS p WHERE (p.date, p.time, p.lab_id) = (c.date, c.time, c.lab_id))
$$;

-- The columns that a row of the audit tells of, but for the version: those of tables that became wider since have more.
CREATE OR REPLACE FUNCTION told_columns(content jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = 'plot_checks'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'version'
        AND content ? attname::text
$$;

CREATE OR REPLACE FUNCTION withdraw_record(
    of_date date, of_time time, of_lab char(1), of_plot integer, why text, wanted_version integer DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    former text;
    of_key jsonb := record_key(of_date, of_time, of_lab, of_plot);
BEGIN
    PERFORM begin_undo(why, of_lab);
    PERFORM hold_record(of_key, wanted_version);
    PERFORM require_right(of_key);
    former := set_reason(why);
    DELETE FROM plot_checks WHERE date = of_date AND time = of_time AND lab_id = of_lab AND plot = of_plot;
    PERFORM drop_empty_check(of_key);
    PERFORM set_reason(former);
    RETURN (SELECT max(sequence) FROM audit WHERE key = of_key AND table_name = 'plot_checks');
END $$;

-- `of_entry`: the number of the entry in withdrawn_records; not given: the one that was withdrawn last.
CREATE OR REPLACE FUNCTION bring_back_record(
    of_date date, of_time time, of_lab char(1), of_plot integer, why text, of_entry bigint DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    former text;
    of_key jsonb := record_key(of_date, of_time, of_lab, of_plot);
    taken audit;
    made audit;
BEGIN
    PERFORM begin_undo(why, of_lab);
    SELECT * INTO taken FROM audit AS a
        WHERE key = of_key AND table_name = 'plot_checks' AND operation = 'DELETE'
            AND sequence = coalesce(of_entry, (
                SELECT max(entry) FROM withdrawn_records
                WHERE "Lab" = of_lab AND "Date" = of_date AND "Time"::time = of_time AND "Plot" = of_plot
            ));
    IF NOT FOUND THEN
        RAISE EXCEPTION 'No record of % was withdrawn.', record_name(of_key)
            USING ERRCODE = 'AB002', DETAIL = of_key::text;
    END IF;
    PERFORM require_right(of_key, taken.sequence);
    PERFORM require_free(of_key);
    former := set_reason(why);
    PERFORM ensure_check(of_key, (taken.old ->> 'lab_tech_id')::smallint, true);
    EXECUTE format('INSERT INTO plot_checks (%1$s) SELECT %1$s FROM jsonb_populate_record(NULL::plot_checks, $1)',
        told_columns(taken.old)) USING taken.old;
    UPDATE value_marks SET gone = NULL, event = 'brought back', said = why, who = present_person(),
            changed = clock_timestamp()
        WHERE lab_id = of_lab AND gone = taken.sequence;
    PERFORM set_reason(former);
END $$;

CREATE OR REPLACE FUNCTION move_record(
    of_date date, of_time time, of_lab char(1), of_plot integer,
    new_date date, new_time time, new_lab char(1), new_plot integer, why text, wanted_version integer DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    former text;
    of_key jsonb := record_key(of_date, of_time, of_lab, of_plot);
    new_key jsonb := record_key(new_date, new_time, new_lab, new_plot);
    present plot_checks;
BEGIN
    PERFORM begin_undo(why, of_lab, new_lab);
    present := hold_record(of_key, wanted_version);
    PERFORM require_right(of_key);
    IF of_key = new_key THEN
        RAISE EXCEPTION 'The record of % stands there already.', record_name(of_key)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM require_free(new_key);
    former := set_reason(why);
    PERFORM ensure_check(new_key, present.lab_tech_id, false);
    UPDATE plot_checks SET date = new_date, time = new_time, lab_id = new_lab, plot = new_plot
        WHERE date = of_date AND time = of_time AND lab_id = of_lab AND plot = of_plot;
    PERFORM drop_empty_check(of_key);
    PERFORM set_reason(former);
END $$;

-- All records of a check, to where none of their plots is recorded; returns how many.
CREATE OR REPLACE FUNCTION move_check(
    of_date date, of_time time, of_lab char(1), new_date date, new_time time, new_lab char(1), why text
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    former text;
    of_plot smallint;
    moved integer := 0;
BEGIN
    PERFORM begin_undo(why, of_lab, new_lab);
    former := set_reason(why);
    IF (of_date, of_time, of_lab) <> (new_date, new_time, new_lab) THEN
        INSERT INTO lab_checks (date, time, lab_id, lab_tech_id)
            SELECT new_date, new_time, new_lab, lab_tech_id FROM lab_checks
            WHERE date = of_date AND time = of_time AND lab_id = of_lab
            ON CONFLICT (date, time, lab_id) DO NOTHING;
    END IF;
    FOR of_plot IN
        SELECT plot FROM plot_checks WHERE date = of_date AND time = of_time AND lab_id = of_lab ORDER BY plot
    LOOP
        PERFORM move_record(of_date, of_time, of_lab, of_plot, new_date, new_time, new_lab, of_plot, why);
        moved := moved + 1;
    END LOOP;
    IF moved = 0 THEN
        RAISE EXCEPTION 'The check of % %, lab % has no records.', of_date, to_char(of_time, 'FMHH24:MI'), of_lab
            USING ERRCODE = 'AB002';
    END IF;
    UPDATE shift_notes SET date = new_date, time = new_time, lab_id = new_lab
        WHERE date = of_date AND time = of_time AND lab_id = of_lab AND done IS NULL;
    PERFORM set_reason(former);
    RETURN moved;
END $$;

-- Takes the last change of a record back, which was the asker's own: a first entry is withdrawn, a correction is as it
-- was before, what was moved stands where it stood, each with the technician that the check had. Returns which:
-- 'withdrawn', 'restored' or 'moved'.
CREATE OR REPLACE FUNCTION take_back(
    of_date date, of_time time, of_lab char(1), of_plot integer, wanted_version integer, why text DEFAULT 'taken back'
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    former text;
    of_key jsonb := record_key(of_date, of_time, of_lab, of_plot);
    present plot_checks;
    made audit;
    taken audit;
    latest audit;
    before jsonb;
    was plot_checks;
    old_key jsonb;
BEGIN
    PERFORM begin_undo(why, of_lab);
    present := hold_record(of_key, wanted_version);
    SELECT * INTO latest FROM audit WHERE key = of_key AND table_name = 'plot_checks' ORDER BY sequence DESC LIMIT 1;
    IF latest.sequence IS NULL THEN
        RAISE EXCEPTION 'What the record of % was before is not known.', record_name(of_key) USING ERRCODE = 'AB002';
    ELSIF NOT acts_for_all() AND NOT is_asker(latest) THEN
        RAISE EXCEPTION '% changed the record of % last.', coalesce(latest.application_user, latest.database_user),
            record_name(of_key) USING ERRCODE = 'insufficient_privilege', HINT = 'Nothing was changed.';
    END IF;
    -- One save may change a row twice: with its check, and by itself.
    SELECT * INTO made FROM audit
        WHERE key = of_key AND table_name = 'plot_checks' AND transaction = latest.transaction
            AND sequence > coalesce((
                SELECT max(sequence) FROM audit
                WHERE key = of_key AND table_name = 'plot_checks' AND transaction <> latest.transaction
            ), 0)
        ORDER BY sequence LIMIT 1;
    IF made.operation = 'DELETE' THEN -- there and back in one transaction
        made.operation := 'UPDATE';
    END IF;
    before := made.old;
    IF made.operation = 'INSERT' THEN
        taken := moved_from(made);
        before := taken.old;
    END IF;
    IF before IS NULL THEN
        PERFORM withdraw_record(of_date, of_time, of_lab, of_plot, why);
        RETURN 'withdrawn';
    END IF;
    old_key := audit_key('plot_checks', before);
    PERFORM begin_undo(why, old_key ->> 'lab_id');
    former := set_reason(why);
    IF old_key <> of_key THEN
        PERFORM require_free(old_key);
        PERFORM ensure_check(old_key, (before ->> 'lab_tech_id')::smallint, true);
    END IF;
    -- The technician of the check, where the same transaction changed it too, and no other plot depends on it.
    UPDATE lab_checks AS c SET lab_tech_id = (with_it.old ->> 'lab_tech_id')::smallint
        FROM (
            SELECT * FROM audit WHERE key = of_key - 'plot' AND table_name = 'lab_checks'
            ORDER BY sequence DESC LIMIT 1
        ) AS with_it
        WHERE (c.date, c.time, c.lab_id) = (of_date, of_time, of_lab)
            AND with_it.operation = 'UPDATE' AND with_it.transaction = latest.transaction
            AND NOT EXISTS (
                SELECT FROM plot_checks AS p
                WHERE (p.date, p.time, p.lab_id) = (c.date, c.time, c.lab_id) AND p.plot <> of_plot
                    AND p.lab_tech_id = c.lab_tech_id
            );
    was := jsonb_populate_record(NULL::plot_checks, before);
    IF old_key <> of_key THEN -- by itself, so that the audit shows a row that only went to another place
        UPDATE plot_checks SET date = was.date, time = was.time, lab_id = was.lab_id, plot = was.plot
            WHERE date = of_date AND time = of_time AND lab_id = of_lab AND plot = of_plot;
    END IF;
    EXECUTE format('UPDATE plot_checks SET (%1$s) = (SELECT %1$s FROM jsonb_populate_record(NULL::plot_checks, $1))'
            ' WHERE date = $2 AND time = $3 AND lab_id = $4 AND plot = $5', told_columns(before))
        USING before, was.date, was.time, was.lab_id, was.plot;
    IF old_key <> of_key THEN
        PERFORM drop_empty_check(of_key);
    END IF;
    PERFORM set_reason(former);
    RETURN CASE old_key WHEN of_key THEN 'restored' ELSE 'moved' END;
END $$;

-- The same for many, all or none: a JSON array of objects with date, time, lab, plot and version. Returns how many.
CREATE OR REPLACE FUNCTION take_back_records(records jsonb, why text DEFAULT 'taken back') RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    each record;
    done integer := 0;
BEGIN
    PERFORM begin_undo(why, VARIADIC ARRAY(SELECT value ->> 'lab' FROM jsonb_array_elements(records)));
    FOR each IN
        SELECT * FROM jsonb_to_recordset(records) AS r (date date, time time, lab text, plot integer, version integer)
        ORDER BY lab, date, time, plot
    LOOP
        PERFORM take_back(each.date, each.time, each.lab, each.plot, each.version, why);
        done := done + 1;
    END LOOP;
    RETURN done;
END $$;

-- Corrects many records at once, all or none: `records` as above, `changes` a JSON object with one or more of
-- technician (a name), seed_sample and date. Returns the records as they stand now, as take_back_records takes them.
-- A check all of whose plots got another technician is that technician's.
CREATE OR REPLACE FUNCTION correct_records(records jsonb, changes jsonb, why text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    former text;
    each record;
    technician smallint;
    became jsonb := '[]';
    new_date date := (changes ->> 'date')::date;
BEGIN
    PERFORM begin_undo(why, VARIADIC ARRAY(SELECT value ->> 'lab' FROM jsonb_array_elements(records)));
    IF changes - ARRAY['technician', 'seed_sample', 'date'] <> '{}' OR jsonb_strip_nulls(changes) = '{}' THEN
        RAISE EXCEPTION 'Technician, seed sample and date can be corrected for many records at once.'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF changes ->> 'technician' IS NOT NULL THEN
        SELECT id INTO technician FROM lab_techs WHERE name = changes ->> 'technician';
        IF NOT FOUND THEN
            RAISE EXCEPTION 'Technician % is not known.', changes ->> 'technician'
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
    END IF;
    former := set_reason(why);
    FOR each IN
        SELECT r.*, record_key(date, time, lab, plot) AS key
        FROM jsonb_to_recordset(records) AS r (date date, time time, lab text, plot integer, version integer)
        ORDER BY lab, date, time, plot
    LOOP
        PERFORM hold_record(each.key, each.version);
        IF new_date <> each.date THEN
            PERFORM move_record(each.date, each.time, each.lab, each.plot,
                new_date, each.time, each.lab, each.plot, why);
            each.date := new_date;
        END IF;
        UPDATE plot_checks
            SET lab_tech_id = coalesce(technician, lab_tech_id),
                seed_sample = coalesce(changes ->> 'seed_sample', seed_sample)
            WHERE date = each.date AND time = each.time AND lab_id = each.lab AND plot = each.plot
            RETURNING version INTO each.version;
        became := became || jsonb_build_array(jsonb_build_object(
            'date', each.date, 'time', each.time, 'lab', each.lab, 'plot', each.plot, 'version', each.version));
    END LOOP;
    IF technician IS NOT NULL THEN
        UPDATE lab_checks AS c SET lab_tech_id = technician
            FROM (
                SELECT DISTINCT date, time, lab
                FROM jsonb_to_recordset(became) AS r (date date, time time, lab text)
            ) AS touched
            WHERE (c.date, c.time, c.lab_id) = (touched.date, touched.time, touched.lab) AND c.lab_tech_id <> technician
                AND NOT EXISTS (
                    SELECT FROM plot_checks AS p
                    WHERE (p.date, p.time, p.lab_id) = (c.date, c.time, c.lab_id) AND p.lab_tech_id <> technician
                );
    END IF;
    PERFORM set_reason(former);
    RETURN became;
END $$;

-- ------------------------------------------------------------------------------------------------- deliveries
-- Keeps what became of deliveries: a JSON array of objects with the columns of that table. One that is new is added; of
-- one that is known only the state changes, and only forwards: to a later revision, never to fewer attempts, and never
-- from delivered or cancelled to anything else. What isn't so changes nothing. Returns how many rows were written.
CREATE OR REPLACE FUNCTION record_deliveries(told jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    each deliveries;
    present deliveries;
    written integer := 0;
BEGIN
    FOR each IN SELECT * FROM jsonb_populate_recordset(NULL::deliveries, told) ORDER BY id, revision LOOP
        each.outdated := NULL;
        INSERT INTO deliveries SELECT each.* ON CONFLICT (id) DO NOTHING;
        IF FOUND THEN
            written := written + 1;
            CONTINUE;
        END IF;
        SELECT * INTO present FROM deliveries WHERE id = each.id FOR UPDATE;
        CONTINUE WHEN each.revision <= present.revision OR each.attempts < present.attempts
            OR present.state IN ('delivered', 'cancelled')
                AND (each.state, each.delivered) IS DISTINCT FROM (present.state, present.delivered);
        UPDATE deliveries SET state = each.state, attempts = each.attempts, last_attempt = each.last_attempt,
                delivered = each.delivered, reason = each.reason, revision = each.revision
            WHERE id = each.id;
        written := written + 1;
    END LOOP;
    RETURN written;
END $$;

-- Keeps what receivers answered: a JSON array of objects with the columns of delivery_receipts, all from one mail. A mail
-- that is known, in whichever mailbox it is found again, changes nothing. What is refused hasn't arrived: it has failed,
-- and its outbox lets somebody send it again. Returns how many are new.
CREATE OR REPLACE FUNCTION keep_answers(of_mailbox text, of_message text, told jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '3s' AS $$
DECLARE
    each delivery_receipts;
    written integer := 0;
BEGIN
    FOR each IN SELECT * FROM jsonb_populate_recordset(NULL::delivery_receipts, told) ORDER BY delivery LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM deliveries WHERE id = each.delivery);
        -- A mail that came by two ways differs in what servers wrote above it.
        CONTINUE WHEN each.message_id <> '' AND EXISTS (
            SELECT FROM delivery_receipts AS present
            WHERE present.message_id = left(each.message_id, 200) AND present.digest <> each.digest
                AND (present.sender, present.verdict, present.words)
                    = (left(each.sender, 320), each.verdict, left(each.words, 2000)));
        INSERT INTO delivery_receipts (delivery, digest, received, sender, message_id, verdict, words, settled, login)
            VALUES (each.delivery, each.digest, clock_timestamp(), left(each.sender, 320), left(each.message_id, 200),
                each.verdict, left(each.words, 2000), CASE each.verdict WHEN 'answer' THEN clock_timestamp() END,
                asking_role())
            ON CONFLICT (delivery, digest) DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        written := written + 1;
        UPDATE deliveries SET state = 'failed', delivered = NULL, revision = least(revision, 2147483646) + 1,
                reason = left(concat('Refused by ', each.sender, ': ', each.words), 1000)
            WHERE id = each.delivery AND each.verdict = 'refused' AND state IN ('delivered', 'unknown');
    END LOOP;
    INSERT INTO mailbox_messages (mailbox, message, looked, login)
        VALUES (left(of_mailbox, 500), left(of_message, 100), clock_timestamp(), asking_role()) ON CONFLICT DO NOTHING;
    -- What is found again after that is known by its receipts.
    DELETE FROM mailbox_messages WHERE looked < clock_timestamp() - interval '400 days';
    RETURN written;
END $$;

-- The outbox that has these deliveries knows by now of these answers, not of others that came meanwhile.
CREATE OR REPLACE FUNCTION settle_receipts(of_deliveries uuid[], digests text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    UPDATE delivery_receipts SET settled = clock_timestamp(), settled_by = asking_role()
        WHERE (delivery, digest) IN (SELECT * FROM unnest(of_deliveries, digests)) AND settled IS NULL
$$;

-- What schedules should have sent by that moment and have not: of the last 7 days, and since the schedule was set.
-- `present`: the delivery that went out, or waits, and holds the records as they are now; then nothing is to be made.
-- A time before the first check of a day means the day before. Nothing is due to whoever sees only some of the labs:
-- what is sent by itself is whole.
CREATE OR REPLACE FUNCTION due_deliveries(moment timestamp with time zone DEFAULT clock_timestamp())
RETURNS TABLE (destination text, date date, occasion text, due timestamp with time zone, present uuid)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    WITH days AS (
        SELECT (moment AT TIME ZONE time_zone)::date - back AS day, time_zone
        FROM lab_settings, generate_series(0, 7) AS back
    ), wanted AS (
        SELECT d.kind || ':' || d.name AS destination, days.day - (at < '8:00')::integer AS date,
            to_char(at, 'HH24:MI') AS occasion, (days.day + at) AT TIME ZONE time_zone AS due
        FROM destinations AS d, days, LATERAL (SELECT substring(d.schedule FROM 'every day at (.*)')::time AS at) AS daily
        WHERE d.schedule LIKE 'every day at %'
            AND (days.day + at) AT TIME ZONE time_zone BETWEEN d.scheduled AND moment
            AND EXISTS (SELECT FROM plot_checks AS p WHERE p.date = days.day - (at < '8:00')::integer)
        UNION ALL
        SELECT d.kind || ':' || d.name, c.date, concat_ws(' ', to_char(c.time, 'HH24:MI'), c.lab_id),
            (c.date + c.time) AT TIME ZONE time_zone
        FROM destinations AS d
        JOIN days ON days.day >= (d.scheduled AT TIME ZONE time_zone)::date
        JOIN lab_checks AS c ON c.date = days.day
        WHERE d.schedule = 'when a check is complete' AND (c.date + c.time) AT TIME ZONE time_zone <= moment
            AND EXISTS (
                SELECT FROM plot_checks AS p WHERE p.date = c.date AND p.time = c.time AND p.lab_id = c.lab_id)
            AND NOT EXISTS (
                SELECT FROM plots WHERE plots.lab_id = c.lab_id AND plots.retired IS NULL AND NOT EXISTS (
                    SELECT FROM plot_checks AS p
                    WHERE p.date = c.date AND p.time = c.time AND p.lab_id = c.lab_id AND p.plot = plots.plot))
    )
    SELECT wanted.*, (
            SELECT sent.id FROM deliveries AS sent
            WHERE sent.destination = wanted.destination AND sent.date = wanted.date AND sent.outdated IS NULL
                AND sent.state IN ('waiting', 'sending', 'delivered')
            ORDER BY version DESC LIMIT 1)
    FROM wanted
    WHERE seen_labs(asking_role()) IS NULL AND NOT EXISTS (
        SELECT FROM scheduled_deliveries AS taken
        WHERE taken.destination = wanted.destination AND taken.date = wanted.date
            AND taken.occasion = wanted.occasion
            AND (taken.delivery IS NOT NULL OR taken.taken > clock_timestamp() - CASE taken.login
                WHEN asking_role() THEN interval '25 minutes' ELSE interval '10 minutes' END))
    ORDER BY due, destination, date, occasion
$$;

-- Whoever gets true sends what is due on these occasions, and nobody else has them for 10 minutes. A login that then
-- hasn't said what became of them gets them again only 15 minutes later: until then they are for the others, so that none
-- holds them back by taking them again and again. Only what is due can be taken.
CREATE OR REPLACE FUNCTION take_delivery(of_destination text, of_date date, occasions text[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '3s' AS $$
DECLARE
    got integer;
BEGIN
    PERFORM FROM destinations WHERE kind || ':' || name = of_destination FOR KEY SHARE;
    -- In one order, so that two who come at once don't wait for each other.
    INSERT INTO scheduled_deliveries (destination, date, occasion, taken, taken_by, workstation, login)
        SELECT wanted.destination, wanted.date, wanted.occasion, clock_timestamp(), present_person(),
            nullif(left(current_setting('abq.workstation', true), 512), ''), asking_role()
        FROM due_deliveries() AS wanted
        WHERE wanted.destination = of_destination AND wanted.date = of_date AND wanted.occasion = ANY (occasions)
        ORDER BY wanted.occasion
        ON CONFLICT (destination, date, occasion) DO UPDATE SET taken = EXCLUDED.taken, taken_by = EXCLUDED.taken_by,
            workstation = EXCLUDED.workstation, login = EXCLUDED.login
        WHERE scheduled_deliveries.delivery IS NULL
            AND scheduled_deliveries.taken < clock_timestamp() - interval '10 minutes';
    GET DIAGNOSTICS got = ROW_COUNT;
    RETURN got > 0;
END $$;

-- It is made, and this is the delivery: its outbox sees to the rest. NULL: none could be made, and others may try at once.
-- Only of what the same login has taken.
CREATE OR REPLACE FUNCTION note_delivery(of_destination text, of_date date, occasions text[], made uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE scheduled_deliveries AS claim SET delivery = made,
            taken = CASE WHEN made IS NULL THEN least(taken, clock_timestamp() - interval '10 minutes') ELSE taken END
        WHERE claim.destination = of_destination AND claim.date = of_date AND occasion = ANY (occasions)
            AND delivery IS NULL AND coalesce(login, asking_role()) = asking_role()
            AND (made IS NULL OR EXISTS (
                SELECT FROM deliveries AS d WHERE d.id = made AND d.destination = of_destination AND d.date = of_date));
END $$;

-- Who changed something, as people should read it: the person that the application named, and the login too where the
-- two don't belong together (see technician_logins).
CREATE OR REPLACE FUNCTION changed_by(database_user text, application_user text) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT CASE
        WHEN application_user IS NULL THEN database_user
        WHEN EXISTS (
            SELECT FROM technician_logins JOIN lab_techs ON id = lab_tech_id
            WHERE login = database_user AND name = application_user
        ) THEN application_user
        ELSE format('%s (login %s)', application_user, database_user)
    END
$$;

-- ------------------------------------------------------------------------------------------------- what QA says of values
-- QA marks a value, or a whole record, which stays as it is: queried, accepted or excluded, with words. For example
--
--     SELECT mark_value('2026-11-21', '8:00', 'A', 3, 'humidity', 'queried', 'Twice that of its neighbours?');
--     SELECT answer_mark(1, 'The door was open.');
--     SELECT close_mark(1);
--
-- A query is open, then answered or corrected, then closed; the others are open (in force) or closed. A value has one
-- mark at a time that isn't closed: another state changes that one. Views for QA leave out what is excluded.
--
-- SQLSTATE of their errors: AB002, there is no such record or mark; AB005, the mark is in no state for that; 42501,
-- somebody else may do it; 22023, words are missing or the request makes no sense.

CREATE OR REPLACE FUNCTION present_person() RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT changed_by(session_user::text, nullif(left(current_setting('abq.application_user', true), 512), ''))
$$;

CREATE OR REPLACE FUNCTION require_words(said text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    plain text := btrim(said, E' \t\n\r');
BEGIN
    IF coalesce(plain, '') = '' THEN
        RAISE EXCEPTION 'Words are required.' USING ERRCODE = 'invalid_parameter_value';
    ELSIF char_length(plain) > 2000 THEN
        RAISE EXCEPTION 'These words have more than 2000 characters.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN plain;
END $$;

-- Which column of a record a name means, such as humidity or Min Height; record: the whole of it.
CREATE OR REPLACE FUNCTION field_called(name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    plain text := lower(regexp_replace(btrim(coalesce(name, '')), '[[:space:]]+', '_', 'g'));
    known text[] := ARRAY(
        SELECT CASE attname WHEN 'lab_tech_id' THEN 'technician' ELSE attname::text END FROM pg_attribute
        WHERE attrelid = 'plot_checks'::regclass AND attnum > 0 AND NOT attisdropped
            AND attname NOT IN ('date', 'time', 'lab_id', 'plot', 'version')
        ORDER BY attnum
    );
BEGIN
    IF plain IN ('', 'record') THEN
        RETURN 'record';
    ELSIF plain IN ('date', 'time', 'lab', 'plot') THEN
        RAISE EXCEPTION 'Date, time, lab and plot say which record it is: mark the whole record.'
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF plain <> ALL (known) THEN
        RAISE EXCEPTION 'A record has no field %.', quote_literal(name)
            USING ERRCODE = 'invalid_parameter_value',
                HINT = format('Fields: record, %s.', array_to_string(known, ', '));
    END IF;
    RETURN plain;
END $$;

CREATE OR REPLACE FUNCTION field_value(field text, content jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT CASE field WHEN 'record' THEN NULL
        WHEN 'technician' THEN (SELECT name FROM lab_techs WHERE id = (content ->> 'lab_tech_id')::smallint)
        ELSE content ->> field END
$$;

-- Marks are made, closed and reopened by QA, and by the owner of the tables.
CREATE OR REPLACE FUNCTION may_mark() RETURNS boolean
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT pg_has_role(asking_role(), relowner, 'USAGE') OR EXISTS (
        SELECT FROM pg_roles WHERE rolname = 'abq_qa' AND pg_has_role(asking_role(), pg_roles.oid, 'USAGE')
    )
    FROM pg_class WHERE pg_class.oid = 'plot_checks'::regclass
$$;

CREATE OR REPLACE FUNCTION require_marking() RETURNS void
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT may_mark() THEN
        RAISE EXCEPTION 'Marks are made, closed and reopened by QA: this login does not have the role abq_qa.'
            USING ERRCODE = 'insufficient_privilege', HINT = 'Nothing was changed.';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION mark_name(mark value_marks) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT format('Mark %s (%s of %s)', mark.id, replace(mark.field, '_', ' '),
        record_name(record_key(mark.date, mark.time, mark.lab_id, mark.plot)))
$$;

-- Keeps a mark as it is until the end of the transaction. The audit of the lab first, as whoever saves does; and before
-- that the lock of `mark_value`, so that of two who change marks of several labs the second holds nothing yet.
CREATE OR REPLACE FUNCTION hold_mark(of_mark bigint) RETURNS value_marks
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    present value_marks;
    seen char(1)[] := seen_labs(asking_role());
    lab char(1);
BEGIN
    PERFORM FROM schema_version FOR NO KEY UPDATE;
    lab := (SELECT lab_id FROM value_marks WHERE id = of_mark);
    PERFORM FROM audit_heads WHERE lab_id = lab FOR UPDATE;
    SELECT * INTO present FROM value_marks WHERE id = of_mark FOR UPDATE;
    IF present.lab_id <> lab THEN -- else two who wait for the audits of two labs might wait for each other
        RAISE EXCEPTION '% was moved meanwhile: try again.', mark_name(present) USING ERRCODE = 'serialization_failure';
    END IF;
    IF NOT FOUND OR NOT coalesce(present.lab_id = ANY (seen), true) THEN
        RAISE EXCEPTION 'There is no mark %.', of_mark USING ERRCODE = 'AB002';
    END IF;
    RETURN present;
END $$;

-- Marks a field of a record, or the whole (field record, or none); returns the number of the mark.
CREATE OR REPLACE FUNCTION mark_value(
    of_date date, of_time time, of_lab char(1), of_plot integer, of_field text, new_state text, said text
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    of_key jsonb := record_key(of_date, of_time, of_lab, of_plot);
    the_field text := field_called(of_field);
    the_words text := require_words(said);
    the_state text := lower(btrim(new_state));
    content jsonb;
    present value_marks;
    moment timestamptz;
BEGIN
    PERFORM require_marking();
    IF coalesce(the_state, '') NOT IN ('queried', 'accepted', 'excluded') THEN
        RAISE EXCEPTION 'A value is queried, accepted or excluded, not %.', coalesce(quote_literal(new_state), 'empty')
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF the_state = 'excluded' AND the_field IN ('technician', 'seed_sample', 'equipment_fault') THEN
        RAISE EXCEPTION 'The % can''t be excluded by itself: exclude the readings, or the whole record.',
            replace(the_field, '_', ' ') USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Of two that come at once the second waits, and gets the next number.
    PERFORM FROM schema_version FOR NO KEY UPDATE;
    PERFORM FROM audit_heads WHERE lab_id = of_lab FOR UPDATE;
    SELECT to_jsonb(p) INTO content FROM plot_checks AS p
        WHERE date = of_date AND time = of_time AND lab_id = of_lab AND plot = of_plot;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no record of %.', record_name(of_key) USING ERRCODE = 'AB002', DETAIL = of_key::text;
    ELSIF the_state = 'excluded' AND the_field <> 'record' AND field_value(the_field, content) IS NULL THEN
        RAISE EXCEPTION 'The field % of % is empty: there is nothing to exclude.', replace(the_field, '_', ' '),
            record_name(of_key) USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO present FROM value_marks
        WHERE date = of_date AND time = of_time AND lab_id = of_lab AND plot = of_plot AND field = the_field
            AND status <> 'closed' AND gone IS NULL FOR UPDATE;
    moment := clock_timestamp();
    IF NOT FOUND THEN
        INSERT INTO value_marks (id, date, time, lab_id, plot, field, value, state, status, words, marked, marked_by,
                event, said, who, changed)
            VALUES ((SELECT coalesce(max(id), 0) + 1 FROM value_marks), of_date, of_time, of_lab, of_plot, the_field,
                field_value(the_field, content), the_state, 'open', the_words, moment, present_person(),
                'marked', the_words, present_person(), moment)
            RETURNING * INTO present;
    ELSIF present.state <> the_state THEN
        UPDATE value_marks SET value = field_value(the_field, content), state = the_state, status = 'open',
                words = the_words, marked = moment, marked_by = present_person(), event = 'marked', said = the_words,
                who = present_person(), changed = moment
            WHERE id = present.id;
    ELSIF present.status <> 'open' THEN
        RAISE EXCEPTION '% is % already: close or reopen it.', mark_name(present), present.status
            USING ERRCODE = 'AB005', HINT = 'Nothing was changed.';
    ELSIF present.words <> the_words THEN -- the same once more is done already
        RAISE EXCEPTION '% is % already, by %: %', mark_name(present), present.state, present.marked_by, present.words
            USING ERRCODE = 'AB005', HINT = 'Nothing was changed.';
    END IF;
    RETURN present.id;
END $$;

-- What lab staff say to a query; said again, it takes the place of what was said before.
CREATE OR REPLACE FUNCTION answer_mark(of_mark bigint, said text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    the_words text := require_words(said);
    present value_marks := hold_mark(of_mark);
BEGIN
    IF NOT may_enter(present.lab_id) THEN
        RAISE EXCEPTION 'Queries are answered by who enters records of lab %.', present.lab_id
            USING ERRCODE = 'insufficient_privilege', HINT = 'Nothing was changed.';
    ELSIF present.state <> 'queried' THEN
        RAISE EXCEPTION '% asks nothing: it is %.', mark_name(present), present.state
            USING ERRCODE = 'AB005', HINT = 'Nothing was changed.';
    ELSIF present.status = 'closed' THEN
        RAISE EXCEPTION '% is closed. QA may reopen it.', mark_name(present)
            USING ERRCODE = 'AB005', HINT = 'Nothing was changed.';
    END IF;
    UPDATE value_marks SET status = CASE status WHEN 'corrected' THEN status ELSE 'answered' END, answer = the_words,
            answered = clock_timestamp(), answered_by = present_person(), event = 'answered', said = the_words,
            who = present_person(), changed = clock_timestamp()
        WHERE id = of_mark;
END $$;

-- The mark holds no more: a query is settled, a value isn't accepted or excluded any longer.
CREATE OR REPLACE FUNCTION close_mark(of_mark bigint, said text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    the_words text := CASE WHEN coalesce(btrim(said, E' \t\n\r'), '') <> '' THEN require_words(said) END;
    present value_marks := hold_mark(of_mark);
BEGIN
    PERFORM require_marking();
    IF present.status = 'closed' THEN
        RAISE EXCEPTION '% is closed already.', mark_name(present)
            USING ERRCODE = 'AB005', HINT = 'Nothing was changed.';
    END IF;
    UPDATE value_marks SET status = 'closed', event = 'closed', said = the_words, who = present_person(),
            changed = clock_timestamp()
        WHERE id = of_mark;
END $$;

-- The mark holds again, or a query asks again, with new words.
CREATE OR REPLACE FUNCTION reopen_mark(of_mark bigint, said text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    the_words text := require_words(said);
    present value_marks := hold_mark(of_mark);
    other bigint;
    moment timestamptz := clock_timestamp();
BEGIN
    PERFORM require_marking();
    SELECT id INTO other FROM value_marks
        WHERE date = present.date AND time = present.time AND lab_id = present.lab_id AND plot = present.plot
            AND field = present.field AND status <> 'closed' AND gone IS NULL AND id <> of_mark;
    IF present.status = 'open' THEN
        RAISE EXCEPTION '% is open already.', mark_name(present) USING ERRCODE = 'AB005', HINT = 'Nothing was changed.';
    ELSIF present.gone IS NOT NULL THEN
        RAISE EXCEPTION '% can''t be reopened: the record was withdrawn.', mark_name(present)
            USING ERRCODE = 'AB005', HINT = 'Nothing was changed.';
    ELSIF other IS NOT NULL THEN
        RAISE EXCEPTION '% can''t be reopened: mark % is newer.', mark_name(present), other
            USING ERRCODE = 'AB005', HINT = 'Nothing was changed.';
    END IF;
    UPDATE value_marks AS m SET status = 'open', words = the_words, marked = moment, marked_by = present_person(),
            event = 'reopened', said = the_words, who = present_person(), changed = moment, value = (
                SELECT field_value(m.field, to_jsonb(p)) FROM plot_checks AS p
                WHERE (p.date, p.time, p.lab_id, p.plot) = (m.date, m.time, m.lab_id, m.plot))
        WHERE id = of_mark;
END $$;

-- What became of a mark, in order: from the audit, so with the rights of whoever asks.
CREATE OR REPLACE FUNCTION mark_history(of_mark bigint)
RETURNS TABLE (moment timestamptz, who text, workstation text, event text, said text, state text, status text)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT a.moment, a.new ->> 'who', a.workstation, a.new ->> 'event', a.new ->> 'said', a.new ->> 'state',
        a.new ->> 'status'
    FROM audit_heads AS h JOIN audit AS a ON a.key = jsonb_build_object('id', of_mark, 'lab_id', h.lab_id)
    WHERE a.table_name = 'value_marks' AND a.new IS NOT NULL
    ORDER BY a.moment
$$;

-- ------------------------------------------------------------------------------------------------- notes to the next shift
-- Who enters records leaves a note to a lab, to a plot of it or to a check, for whoever opens it next. For example
--
--     SELECT write_note('A', 'The door sticks.');
--     SELECT write_note('A', 'Lamp flickers.', of_plot => 3);
--     SELECT write_note('A', 'Plots 18 to 20 are still to be measured.', of_date => '2026-11-21', of_time => '8:00');
--     SELECT finish_note(1);
--
-- It is open until somebody says that it is done. SQLSTATE of their errors: AB002, there is no such note, lab or plot;
-- AB005, the note is done, or open, already; 42501, somebody else may do it; 22023, words are missing or the request
-- makes no sense.

CREATE OR REPLACE FUNCTION note_name(note shift_notes) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT format('Note %s (%slab %s%s)', note.id, note.date || ' ' || to_char(note.time, 'FMHH24:MI') || ', ',
        note.lab_id, ', plot ' || note.plot)
$$;

CREATE OR REPLACE FUNCTION require_entering(lab char(1)) RETURNS void
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT may_enter(lab) THEN
        RAISE EXCEPTION 'Notes to lab % are written and done by who enters its records.', lab
            USING ERRCODE = 'insufficient_privilege', HINT = 'Nothing was changed.';
    END IF;
END $$;

-- Keeps a note as it is until the end of the transaction. The audit of the lab first, as whoever saves does.
CREATE OR REPLACE FUNCTION hold_note(of_note bigint) RETURNS shift_notes
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    present shift_notes;
    seen char(1)[] := seen_labs(asking_role());
    lab char(1);
BEGIN
    PERFORM FROM schema_version FOR NO KEY UPDATE; -- see hold_mark
    lab := (SELECT lab_id FROM shift_notes WHERE id = of_note);
    PERFORM FROM audit_heads WHERE lab_id = lab FOR UPDATE;
    SELECT * INTO present FROM shift_notes WHERE id = of_note FOR UPDATE;
    IF present.lab_id <> lab THEN -- else two who wait for the audits of two labs might wait for each other
        RAISE EXCEPTION '% was moved meanwhile: try again.', note_name(present) USING ERRCODE = 'serialization_failure';
    ELSIF NOT FOUND OR NOT coalesce(present.lab_id = ANY (seen), true) THEN
        RAISE EXCEPTION 'There is no note %.', of_note USING ERRCODE = 'AB002';
    END IF;
    PERFORM require_entering(present.lab_id);
    RETURN present;
END $$;

-- Leaves a note to a lab, a plot or a check; returns its number. The same words once more, while it is open, are it.
CREATE OR REPLACE FUNCTION write_note(
    of_lab char(1), said text, of_plot integer DEFAULT NULL, of_date date DEFAULT NULL, of_time time DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    the_words text := require_words(said);
    number bigint;
BEGIN
    PERFORM require_entering(of_lab);
    IF num_nulls(of_date, of_time) = 1 THEN
        RAISE EXCEPTION 'A check has a date and a time.' USING ERRCODE = 'invalid_parameter_value';
    ELSIF of_plot IS NOT NULL AND of_date IS NOT NULL THEN
        RAISE EXCEPTION 'A note is to a lab, to a plot or to a check, not to a plot at a check.'
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF of_time NOT IN ('8:00', '12:00', '16:00', '20:00') THEN
        RAISE EXCEPTION 'There is no check at %.', to_char(of_time, 'FMHH24:MI') USING ERRCODE = 'invalid_parameter_value';
    ELSIF NOT EXISTS (SELECT FROM labs WHERE id = of_lab) THEN
        RAISE EXCEPTION 'There is no lab %.', coalesce(quote_literal(of_lab), 'without a letter') USING ERRCODE = 'AB002';
    ELSIF of_plot IS NOT NULL AND NOT EXISTS (SELECT FROM plots WHERE lab_id = of_lab AND plot = of_plot) THEN
        RAISE EXCEPTION 'There is no plot % in lab %.', of_plot, of_lab USING ERRCODE = 'AB002';
    END IF;
    -- Of two that come at once the second waits, and gets the next number.
    PERFORM FROM schema_version FOR NO KEY UPDATE;
    PERFORM FROM audit_heads WHERE lab_id = of_lab FOR UPDATE;
    SELECT id INTO number FROM shift_notes
        WHERE lab_id = of_lab AND done IS NULL AND words = the_words
            AND (plot, date, time) IS NOT DISTINCT FROM (of_plot::smallint, of_date, of_time);
    IF NOT FOUND THEN
        INSERT INTO shift_notes (id, lab_id, plot, date, time, words, written, written_by)
            VALUES ((SELECT coalesce(max(id), 0) + 1 FROM shift_notes), of_lab, of_plot, of_date, of_time, the_words,
                clock_timestamp(), present_person())
            RETURNING id INTO number;
    END IF;
    RETURN number;
END $$;

-- The note is done: nobody is shown it any more.
CREATE OR REPLACE FUNCTION finish_note(of_note bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    present shift_notes := hold_note(of_note);
BEGIN
    IF present.done IS NOT NULL THEN
        RAISE EXCEPTION '% is done already, by %.', note_name(present), present.done_by
            USING ERRCODE = 'AB005', HINT = 'Nothing was changed.';
    END IF;
    UPDATE shift_notes SET done = clock_timestamp(), done_by = present_person() WHERE id = of_note;
END $$;

-- The note is not done after all.
CREATE OR REPLACE FUNCTION reopen_note(of_note bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    present shift_notes := hold_note(of_note);
BEGIN
    IF present.done IS NULL THEN
        RAISE EXCEPTION '% is open already.', note_name(present) USING ERRCODE = 'AB005', HINT = 'Nothing was changed.';
    END IF;
    UPDATE shift_notes SET done = NULL, done_by = NULL WHERE id = of_note;
END $$;

-- ------------------------------------------------------------------------------------------------- messages between workstations
-- Who enters records tells others something at once: a person, whoever is at a lab, or all. For example
--
--     SELECT send_message('The pump of lab A is off.');
--     SELECT send_message('Please come to lab B.', to_person => 'P Taylor');
--     SELECT send_message('Lamps are tested at noon.', to_lab => 'A');
--
-- The answer is JSON with a code: sent; absent (nobody whom it is to is entering a check now: it is kept until they
-- come); unknown, too long or refused (it wasn't sent). The channel abq_messages tells all windows. Anybody may notify
-- there, so windows only take it as a reason to look into the table.

-- The person who asks, as the application says; else whose login it is, else the login.
CREATE OR REPLACE FUNCTION asking_person() RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT coalesce(nullif(left(current_setting('abq.application_user', true), 512), ''), (
        SELECT name FROM technician_logins JOIN lab_techs ON lab_techs.id = lab_tech_id WHERE login = session_user
    ), session_user)
$$;

CREATE OR REPLACE FUNCTION send_message(
    said text, to_person text DEFAULT NULL, to_lab text DEFAULT NULL, number uuid DEFAULT gen_random_uuid()
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    own shift_messages;
    present shift_messages;
    person text;
    is_there boolean;
    seen char(1)[] := seen_labs(asking_role());
BEGIN
    IF coalesce(btrim(said), '') = '' THEN
        RETURN jsonb_build_object('code', 'refused', 'answer', 'There is nothing to send: write a text first.');
    ELSIF char_length(said) > 640 THEN
        RETURN jsonb_build_object('code', 'too long', 'answer', format(
            'This text has %s characters; a message has 640 at most. It was not sent.', char_length(said)));
    -- Also what would turn the text around, or end a line.
    ELSIF said ~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]' THEN
        RETURN jsonb_build_object('code', 'refused', 'answer',
            'A message is one line without control characters. It was not sent.');
    ELSIF num_nonnulls(to_person, to_lab) = 2 THEN
        RETURN jsonb_build_object('code', 'refused', 'answer', 'A message is to a person or to a lab, not to both.');
    ELSIF to_lab IS NOT NULL AND NOT EXISTS (
        SELECT FROM labs WHERE id = to_lab AND retired IS NULL AND coalesce(id = ANY (seen), true)
    ) THEN
        RETURN jsonb_build_object('code', 'unknown', 'answer', format('There is no lab %s. It was not sent.',
            quote_literal(left(to_lab, 64))));
    END IF;
    IF to_person IS NOT NULL THEN
        SELECT name INTO person FROM lab_techs
            WHERE retired IS NULL AND lower(name) = lower(btrim(to_person)) ORDER BY name = to_person DESC LIMIT 1;
        IF NOT FOUND THEN
            RETURN jsonb_build_object('code', 'unknown', 'answer', format('There is no technician %s. It was not sent.',
                quote_literal(left(to_person, 64))));
        END IF;
    END IF;
    DELETE FROM shift_messages WHERE sent < now() - interval '30 days';
    own := ROW(number, clock_timestamp(), asking_person(), session_user,
        nullif(left(current_setting('abq.workstation', true), 512), ''), to_lab, person, said);
    INSERT INTO shift_messages SELECT own.* ON CONFLICT (id) DO NOTHING;
    IF NOT FOUND THEN -- once more, after an answer that was lost: the same
        SELECT * INTO present FROM shift_messages WHERE id = number;
        IF (present.sender, present.login, present.words, present.lab_id, present.recipient)
            IS DISTINCT FROM (own.sender, own.login, own.words, own.lab_id, own.recipient)
        THEN
            RETURN jsonb_build_object('code', 'refused', 'answer', 'Another message has this number. It was not sent.');
        END IF;
    ELSE
        -- Whoever listens hears everything: where labs are kept apart, the text stands in the table alone.
        PERFORM pg_notify('abq_messages', (jsonb_build_object('code', 'message', 'id', number, 'time', own.sent,
            'sender', left(own.sender, 128), 'login', own.login) || CASE
                WHEN (SELECT relrowsecurity FROM pg_class WHERE pg_class.oid = 'plot_checks'::regclass) THEN '{}'
                ELSE jsonb_build_object('lab', own.lab_id, 'person', left(own.recipient, 128), 'text', said) END
            )::text);
    END IF;
    SELECT EXISTS (
        SELECT FROM check_presence_view
        WHERE (person IS NULL OR application_user = person) AND (to_lab IS NULL OR lab_id = to_lab)
            AND application_user <> own.sender
    ) INTO is_there;
    RETURN jsonb_build_object('id', number, 'code', CASE WHEN is_there THEN 'sent' ELSE 'absent' END, 'answer', CASE
        WHEN is_there THEN 'The message was sent.'
        WHEN person IS NOT NULL THEN format('%s is entering no check now; the message is kept for 30 days.', person)
        WHEN to_lab IS NOT NULL THEN
            format('Nobody else is entering a check of lab %s now; the message is kept for 30 days.', to_lab)
        ELSE 'Nobody else is entering a check now; the message is kept for 30 days.' END);
END $$;

-- Takes the messages to the asking person, to all, and to the lab that is worked at: they have arrived, each once. With
-- `those` these have been read. Returns how many have arrived just now.
CREATE OR REPLACE FUNCTION take_messages(at_lab text DEFAULT NULL, those uuid[] DEFAULT '{}') RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    person text := asking_person();
    taken integer;
    seen char(1)[] := seen_labs(asking_role());
BEGIN
    INSERT INTO shift_message_readers (message, reader, lab_id, delivered, login)
        SELECT id, person, lab_id, clock_timestamp(), session_user FROM shift_messages
        WHERE sent >= now() - interval '30 days'
            AND (recipient = person OR recipient IS NULL AND sender <> person AND (
                lab_id IS NULL OR lab_id = at_lab AND coalesce(lab_id = ANY (seen), true)))
            AND NOT EXISTS (SELECT FROM shift_message_readers WHERE message = id AND reader = person)
        ON CONFLICT (message, reader) DO NOTHING;
    GET DIAGNOSTICS taken = ROW_COUNT;
    UPDATE shift_message_readers SET read = clock_timestamp(), login = session_user
        WHERE reader = person AND message = ANY (those) AND read IS NULL;
    IF FOUND OR taken > 0 THEN -- another window of the same person, and the sender
        PERFORM pg_notify('abq_messages', jsonb_build_object('code', 'arrived')::text);
    END IF;
    RETURN taken;
END $$;

-- ------------------------------------------------------------------------------------------------- alarms
-- What somebody has to look after. Windows and `alarms run` look every few minutes, one workstation at a time, and tell
-- who is in alarm_receivers, each once:
--
--     SELECT look_for_alarms();
--     SELECT * FROM due_notices();
--
-- SQLSTATE of their errors: AB002, there is no such alarm; AB005, it has ended; 22023, the request makes no sense.

-- A text in one line, without what a terminal or a mail would do something by, and not too long.
CREATE OR REPLACE FUNCTION alarm_words(said text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT left(btrim(regexp_replace(said,
        '[\u0001-\u0020\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]+', ' ', 'g')), 1000)
$$;

-- A moment for people, by the clock of the labs: `at 21:10`, with the day where that isn't the day that is meant.
CREATE OR REPLACE FUNCTION moment_in_labs(moment timestamp with time zone, of_day date) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT to_char(moment AT TIME ZONE time_zone,
        CASE (moment AT TIME ZONE time_zone)::date WHEN of_day THEN '' ELSE '"on" YYYY-MM-DD ' END || '"at" FMHH24:MI')
    FROM lab_settings
$$;

-- What the database itself knows of by that moment: checks that are missing an hour after their time, and deliveries that
-- were given up or are an hour late; of the last 7 days. What a schedule wants isn't late before its records have been
-- there for an hour: a day may be entered from paper later.
CREATE OR REPLACE FUNCTION alarm_conditions(moment timestamp with time zone DEFAULT clock_timestamp())
RETURNS TABLE (kind text, subject text, words text, lab_id char(1), date date, "time" time, destination text)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    WITH latest AS (
        SELECT DISTINCT ON (d.destination, d.date, d.file_name) d.*
        FROM deliveries AS d WHERE d.date > (moment - interval '8 days')::date
        ORDER BY d.destination, d.date, d.file_name, d.version DESC, d.created DESC
    ), found AS (
        SELECT 'check missing' AS kind, format('%s %s, lab %s', day, to_char(c.time, 'FMHH24:MI'), c.lab_id) AS subject,
            format('The check of lab %s on %s at %s is missing: an hour after its time nothing is recorded.',
                c.lab_id, day, to_char(c.time, 'FMHH24:MI')) AS words,
            c.lab_id, day AS date, c.time, NULL::text AS destination
        FROM lab_settings, generate_series(0, 7) AS back,
            LATERAL (SELECT (moment AT TIME ZONE time_zone)::date - back AS day) AS days
        JOIN alarm_calendar AS c ON c.weekday = extract(isodow FROM day)
        JOIN labs ON labs.id = c.lab_id AND labs.retired IS NULL,
            LATERAL (SELECT (day + c.time) AT TIME ZONE time_zone AS due) AS dues
        WHERE due >= c.since AND due + interval '1 hour' <= moment AND due > moment - interval '7 days'
            AND NOT EXISTS (
                SELECT FROM plot_checks AS p WHERE p.date = day AND p.time = c.time AND p.lab_id = c.lab_id)
        UNION ALL
        SELECT 'delivery failed', format('%s %s', l.destination, l.date), CASE l.state
                WHEN 'failed' THEN format('The delivery of %s to %s was given up%s', l.file_name, l.destination,
                    coalesce(': ' || nullif(l.reason, ''), '.'))
                ELSE format('Whether %s has arrived at %s isn''t known: ask there, then say so in the deliveries.',
                    l.file_name, l.destination) END,
            NULL, l.date, NULL, l.destination
        FROM latest AS l WHERE l.state IN ('failed', 'unknown')
            AND coalesce(l.last_attempt, l.created) > moment - interval '7 days'
        UNION ALL
        SELECT 'delivery late', format('%s %s', l.destination, l.date),
            format('%s has waited for its delivery to %s for more than an hour.', l.file_name, l.destination),
            NULL, l.date, NULL, l.destination
        FROM latest AS l WHERE l.state IN ('waiting', 'sending') AND l.created < moment - interval '1 hour'
            AND l.created > moment - interval '7 days'
        UNION ALL
        SELECT 'delivery late', format('%s %s', due.destination, due.date),
            format('The extract of %s should have gone to %s, and no workstation has sent it.',
                due.date, due.destination),
            NULL, due.date, NULL, due.destination
        FROM due_deliveries(moment) AS due
        WHERE due.due < moment - interval '1 hour' AND due.present IS NULL AND NOT EXISTS (
            SELECT FROM audit WHERE audit.moment > alarm_conditions.moment - interval '1 hour'
                AND table_name = 'plot_checks' AND key ->> 'date' = due.date::text)
    )
    SELECT DISTINCT ON (found.kind, named) found.kind, named, alarm_words(found.words), found.lab_id, found.date,
        found.time, found.destination
    FROM found, LATERAL (SELECT left(alarm_words(found.subject), 200) AS named) AS short ORDER BY found.kind, named
$$;

-- Why what such an alarm is about has ended, as the end of a sentence; NULL: it hasn't, or whoever asks can't know.
CREATE OR REPLACE FUNCTION alarm_end(alarm alarms, moment timestamp with time zone) RETURNS text
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    latest deliveries;
    arrived timestamp with time zone;
BEGIN
    IF alarm.kind = 'check missing' THEN
        IF EXISTS (
            SELECT FROM plot_checks AS p
            WHERE p.date = alarm.date AND p.time = alarm.time AND p.lab_id = alarm.lab_id
        ) THEN
            SELECT min(audit.moment) INTO arrived FROM plot_checks AS p JOIN audit ON table_name = 'plot_checks'
                    AND operation = 'INSERT' AND key = record_key(p.date, p.time, p.lab_id, p.plot)
                WHERE p.date = alarm.date AND p.time = alarm.time AND p.lab_id = alarm.lab_id;
            RETURN 'arrived ' || moment_in_labs(greatest(arrived, alarm.raised), alarm.date);
        ELSIF NOT EXISTS (
            SELECT FROM alarm_calendar AS c JOIN labs ON id = c.lab_id AND retired IS NULL
            WHERE c.lab_id = alarm.lab_id AND c.time = alarm.time AND c.weekday = extract(isodow FROM alarm.date)
        ) THEN
            RETURN 'it isn''t expected any more';
        ELSIF (alarm.date + alarm.time) AT TIME ZONE (SELECT time_zone FROM lab_settings) <= moment - interval '7 days' THEN
            RETURN 'nothing was recorded within 7 days, and nobody waits for it any more';
        END IF;
        RETURN NULL;
    END IF;
    SELECT * INTO latest FROM deliveries AS d
        WHERE d.destination = alarm.destination AND d.date = alarm.date ORDER BY version DESC, created DESC LIMIT 1;
    IF latest.state = 'delivered' THEN
        RETURN 'arrived ' || moment_in_labs(latest.delivered, alarm.date);
    ELSIF latest.state = 'cancelled' THEN
        RETURN 'the delivery was cancelled';
    ELSIF alarm.kind = 'delivery failed' THEN
        RETURN CASE WHEN latest.state IN ('waiting', 'sending') THEN 'the delivery is tried again' END;
    ELSIF latest.state IN ('failed', 'unknown') THEN
        RETURN CASE latest.state WHEN 'failed' THEN 'the delivery was given up'
            ELSE 'whether it arrived isn''t known' END;
    ELSIF latest.state IS NULL AND seen_labs(asking_role()) IS NULL
        AND NOT EXISTS (
            SELECT FROM scheduled_deliveries AS taken
            WHERE taken.destination = alarm.destination AND taken.date = alarm.date AND taken.delivery IS NULL)
        AND NOT EXISTS (
            SELECT FROM due_deliveries(moment) AS due
            WHERE due.destination = alarm.destination AND due.date = alarm.date)
    THEN
        RETURN 'it isn''t due any more';
    END IF;
    RETURN NULL;
END $$;

-- Somebody keeps an alarm in a transaction that stays open. The setting abq.held says so to who asks, and nobody waits as
-- long for the next one, so the others begin and end. Always false.
CREATE OR REPLACE FUNCTION alarm_held() RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM set_config('abq.held', 'held', true), set_config('lock_timeout', '50ms', true);
    RETURN false;
END $$;

-- Raises an alarm, unless what it is about is known. One that is open says what is known now.
CREATE OR REPLACE FUNCTION raise_alarm(wanted alarms) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE alarms SET words = wanted.words
        WHERE kind = wanted.kind AND subject = wanted.subject AND over IS NULL AND ended IS NULL
            AND words <> wanted.words;
    IF EXISTS (SELECT FROM alarms WHERE kind = wanted.kind AND subject = wanted.subject AND over IS NULL) THEN
        RETURN false;
    END IF;
    INSERT INTO alarms (kind, subject, words, lab_id, date, time, destination, workstation, raised, raised_by)
        VALUES (wanted.kind, wanted.subject, wanted.words, wanted.lab_id, wanted.date, wanted.time,
            wanted.destination, wanted.workstation, clock_timestamp(), session_user)
        ON CONFLICT DO NOTHING; -- another workstation was quicker
    RETURN FOUND;
EXCEPTION WHEN lock_not_available THEN
    RETURN alarm_held();
END $$;

-- What an alarm is about has ended. Whether it is so by this call.
CREATE OR REPLACE FUNCTION alarm_is_over(of_alarm bigint, said text) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE alarms SET over = clock_timestamp(), ended = coalesce(ended, clock_timestamp()),
            ended_words = coalesce(ended_words, said)
        WHERE id = of_alarm AND over IS NULL;
    RETURN FOUND;
EXCEPTION WHEN lock_not_available THEN
    RETURN alarm_held();
END $$;

-- Raises and ends what the database itself knows of; returns how many alarms began or ended.
CREATE OR REPLACE FUNCTION look_for_alarms() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '3s' AS $$
DECLARE
    now timestamp with time zone := clock_timestamp();
    wanted alarms;
    said text;
    changed integer := 0;
BEGIN
    FOR wanted IN
        SELECT NULL, c.kind, c.subject, c.words, c.lab_id, c.date, c.time, c.destination FROM alarm_conditions(now) AS c
    LOOP
        changed := changed + raise_alarm(wanted)::integer;
    END LOOP;
    FOR wanted IN SELECT * FROM alarms WHERE over IS NULL AND workstation IS NULL AND kind <> 'audit' ORDER BY id LOOP
        said := alarm_end(wanted, now);
        CONTINUE WHEN said IS NULL;
        changed := changed + alarm_is_over(wanted.id, said)::integer;
    END LOOP;
    -- Who sent it has never said what came of it: nobody knows, and nobody sends it again.
    UPDATE alarm_notices SET state = 'unknown',
            said = 'The workstation that was sending it has not said what became of it.'
        WHERE (alarm, receiver, about) IN (
            SELECT n.alarm, n.receiver, n.about FROM alarm_notices AS n
            WHERE n.state = 'sending' AND n.taken < now - interval '10 minutes' FOR UPDATE SKIP LOCKED);
    DELETE FROM alarms WHERE id IN (
        SELECT a.id FROM alarms AS a WHERE a.over < now - interval '90 days' FOR UPDATE SKIP LOCKED);
    RETURN changed;
END $$;

-- What a workstation has found out about itself or, with the kind audit, about the database: a JSON array of objects with
-- kind, subject, words (null: all is well) and ending (how it ended). Only the same workstation ends an alarm of its own,
-- and that of the audit only who sees all of it. Returns how many alarms began or ended.
CREATE OR REPLACE FUNCTION tell_alarms(findings jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '3s' AS $$
DECLARE
    each record;
    wanted alarms;
    here text := coalesce(nullif(left(current_setting('abq.workstation', true), 200), ''), 'a computer without a name');
    changed integer := 0;
BEGIN
    FOR each IN
        SELECT * FROM jsonb_to_recordset(findings) AS told (kind text, subject text, words text, ending text)
        ORDER BY kind, subject
    LOOP
        IF each.kind IS NULL OR each.kind NOT IN ('backup', 'audit', 'disk') THEN
            RAISE EXCEPTION 'A workstation tells of backup, audit and disk, not of %.', coalesce(each.kind, 'nothing')
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        wanted := NULL;
        wanted.kind := each.kind;
        IF each.kind = 'audit' THEN
            wanted.subject := 'audit';
        ELSE
            wanted.workstation := here;
            wanted.subject := left(alarm_words(concat_ws(': ', here, nullif(each.subject, ''))), 200);
        END IF;
        wanted.words := nullif(alarm_words(each.words), '');
        IF wanted.words IS NOT NULL THEN
            -- Whoever tells of more than these, or of more in a day, tells nonsense, and keeps nobody else from telling.
            CONTINUE WHEN EXISTS (
                SELECT FROM alarms AS a WHERE a.raised_by = session_user AND a.kind IN ('backup', 'audit', 'disk')
                HAVING count(*) FILTER (WHERE a.over IS NULL) >= 200
                    OR count(*) FILTER (WHERE a.raised > clock_timestamp() - interval '1 day') >= 1000);
            changed := changed + raise_alarm(wanted)::integer;
        ELSIF each.kind <> 'audit' OR seen_labs(asking_role()) IS NULL THEN
            -- Of which workstation a session is it says itself, so the list says if another login ends the alarm.
            SELECT count(alarm_is_over(a.id, concat_ws(' ',
                    coalesce(nullif(alarm_words(each.ending), ''), 'all is well again'),
                    CASE WHEN a.raised_by <> session_user THEN format('(as login %s says)', session_user) END))
                OR NULL) + changed INTO changed
                FROM alarms AS a WHERE a.kind = wanted.kind AND a.subject = wanted.subject AND over IS NULL;
        END IF;
    END LOOP;
    RETURN changed;
END $$;

-- A person ends an alarm: nobody is reminded of it, and told of it again, before what it is about ended and began anew.
CREATE OR REPLACE FUNCTION end_alarm(of_alarm bigint, said text DEFAULT '') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '3s' AS $$
DECLARE
    present alarms;
    seen char(1)[] := seen_labs(asking_role());
BEGIN
    SELECT * INTO present FROM alarms WHERE id = of_alarm FOR UPDATE;
    IF NOT FOUND OR NOT coalesce(present.lab_id = ANY (seen), true) THEN
        RAISE EXCEPTION 'There is no alarm %.', of_alarm USING ERRCODE = 'AB002';
    ELSIF present.ended IS NOT NULL THEN
        RAISE EXCEPTION 'Alarm % has ended already: %.', of_alarm, present.ended_words
            USING ERRCODE = 'AB005', HINT = 'Nothing was changed.';
    END IF;
    UPDATE alarms SET ended = clock_timestamp(), ended_by = present_person(),
            ended_words = alarm_words(concat_ws(': ', 'ended by ' || present_person(), nullif(btrim(said), '')))
        WHERE id = of_alarm;
END $$;

-- Who is to be told of what by now. The end is told to whom the beginning was, and a beginning never after the end. What
-- comes and goes is told once an hour at most. What somebody took to send it is nobody else's for 10 minutes.
CREATE OR REPLACE FUNCTION due_notices() RETURNS TABLE (alarm bigint, receiver text, about text)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT a.id, r.name, part.about
    FROM alarms AS a CROSS JOIN alarm_receivers AS r CROSS JOIN (VALUES ('begin'), ('end')) AS part (about)
    LEFT JOIN alarm_notices AS n ON n.alarm = a.id AND n.receiver = r.name AND n.about = part.about
    WHERE (n.state IS NULL OR n.state = 'failed' AND n.next <= clock_timestamp()
            OR n.state = 'taken' AND n.taken < clock_timestamp() - interval '10 minutes')
        AND CASE part.about WHEN 'begin' THEN
            a.ended IS NULL AND NOT EXISTS (
                SELECT FROM alarms AS other JOIN alarm_notices AS told ON told.alarm = other.id
                WHERE other.kind = a.kind AND other.subject = a.subject AND other.id <> a.id
                    AND told.receiver = r.name AND told.about = 'begin' AND told.state IN ('sending', 'told', 'unknown')
                    AND told.taken > clock_timestamp() - interval '1 hour')
        ELSE
            a.ended > clock_timestamp() - interval '2 days' AND EXISTS (
                SELECT FROM alarm_notices AS told WHERE told.alarm = a.id AND told.receiver = r.name
                    AND told.about = 'begin' AND (told.state IN ('told', 'unknown') OR told.served <> '{}'))
        END
    ORDER BY r.name, a.id
$$;

-- Whoever gets true tells it.
CREATE OR REPLACE FUNCTION take_notice(of_alarm bigint, to_receiver text, of_part text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '1s' AS $$
DECLARE
    seen char(1)[] := seen_labs(asking_role());
BEGIN
    INSERT INTO alarm_notices AS n (alarm, receiver, about, state, taken, first, workstation, login)
        SELECT due.alarm, due.receiver, due.about, 'taken', clock_timestamp(), clock_timestamp(),
            nullif(left(current_setting('abq.workstation', true), 200), ''), asking_role()
        FROM due_notices() AS due JOIN alarms AS a ON a.id = due.alarm
        WHERE due.alarm = of_alarm AND due.receiver = to_receiver AND due.about = of_part
            AND coalesce(a.lab_id = ANY (seen), true)
        ON CONFLICT (alarm, receiver, about) DO UPDATE SET state = 'taken', taken = EXCLUDED.taken,
            workstation = EXCLUDED.workstation, login = EXCLUDED.login, attempts = n.attempts + 1
        WHERE n.state = 'failed' AND n.next <= clock_timestamp()
            OR n.state = 'taken' AND n.taken < clock_timestamp() - interval '10 minutes';
    RETURN FOUND;
END $$;

-- What became of it: sending (from now on it may arrive), told, failed (tried again after so many seconds, for a day),
-- given up, or unknown. `served_now`: the addresses that have got it, where others get it later. Only of what the same
-- login has taken.
CREATE OR REPLACE FUNCTION note_notice(
    of_alarm bigint, to_receiver text, of_part text, became text, what_was_said text, pause double precision,
    served_now text[] DEFAULT '{}'
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE alarm_notices SET
            state = CASE WHEN became = 'failed' AND first < clock_timestamp() - interval '1 day' THEN 'given up'
                ELSE became END,
            said = nullif(alarm_words(what_was_said), ''), served = (served || served_now)[1:100],
            next = CASE became WHEN 'failed' THEN clock_timestamp()
                + make_interval(secs => greatest(least(pause, 3600), 0)) END
        WHERE alarm = of_alarm AND receiver = to_receiver AND about = of_part AND login = asking_role()
            AND state IN ('taken', 'sending') AND became <> 'taken';
    RETURN FOUND;
END $$;

-- Why a receiver can't be as it says, as a sentence; NULL if it can.
CREATE OR REPLACE FUNCTION receiver_problem(wanted alarm_receivers) RETURNS text
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    IF wanted.name !~ '^[a-z][a-z0-9_-]{0,39}$' THEN
        RETURN 'A receiver is called by 1 to 40 small letters, digits, - and _, and begins with a letter.';
    ELSIF wanted.kind NOT IN ('mail', 'webhook') THEN
        RETURN 'The kind of a receiver is mail or webhook.';
    ELSIF octet_length(wanted.address) > 1000 OR octet_length(wanted.username) > 200
        OR wanted.username ~ '[\u0001-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]'
        OR wanted.username <> btrim(wanted.username)
    THEN
        RETURN 'The address or the user name is too long, or holds what can''t be seen.';
    ELSIF wanted.kind = 'mail' THEN
        IF EXISTS (
            SELECT FROM regexp_split_to_table(wanted.address, ', *') AS person
            WHERE person !~ '^[^<>,;:@"()[:space:]]+@[^<>,;:@"()[:space:]]+$'
                AND person !~ '^[^<>,;@"\u0001-\u001f]+<[^<>,;:@"()[:space:]]+@[^<>,;:@"()[:space:]]+>$'
        ) THEN
            RETURN 'The address must be one as qa@example.com or QA <qa@example.com>, or several with commas.';
        ELSIF wanted.login_method <> '' THEN
            RETURN 'A secret by token or by signature is for the kind webhook.';
        ELSIF wanted.server ~ ':' THEN
            IF wanted.server !~ '^smtps?://[^/]+$'
                OR NOT can_be_host(substring(wanted.server FROM '^smtps?://(.*)$'))
            THEN
                RETURN 'The server is one as smtp://mail.example.com:587 or smtps://mail.example.com.';
            END IF;
        ELSIF wanted.server <> '' AND NOT EXISTS (
            SELECT FROM destinations WHERE name = wanted.server AND kind = 'email'
        ) THEN
            RETURN format('There is no destination %s of the kind email.', quote_literal(left(wanted.server, 60)));
        END IF;
    ELSIF NOT can_be_url(wanted.address) OR wanted.address ~ '^http://'
        AND wanted.address !~* '^http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?(/|$)'
    THEN
        RETURN 'The address must be one as https://example.com/alarms, without user, password, ? and #;'
            ' http:// only on the same computer.';
    ELSIF wanted.server <> '' OR wanted.username <> '' THEN
        RETURN 'A webhook has an address, and neither a server nor a user name.';
    ELSIF wanted.login_method NOT IN ('', 'token', 'signature') THEN
        RETURN 'The login method of a webhook is token or signature.';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION refuse_receiver() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    problem text := receiver_problem(NEW);
BEGIN
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'check_violation', HINT = 'Nothing was changed.';
    END IF;
    RETURN NEW;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_trigger WHERE tgrelid = 'alarm_receivers'::regclass AND tgname = 'refuse_receiver'
    ) THEN
        CREATE TRIGGER refuse_receiver BEFORE INSERT OR UPDATE ON alarm_receivers
            FOR EACH ROW EXECUTE FUNCTION refuse_receiver();
    END IF;
END $$;

-- ------------------------------------------------------------------------------------------------- notices of the company
-- A workstation asks whether it is its turn, fetches, and says what came:
--
--     SELECT ask_for_notices('https://intranet.example.org/notices.xml');
--     SELECT keep_notices('https://intranet.example.org/notices.xml', '{"state": {}, "notices": []}');

-- The answer has a code: ask (it is your turn; with the state that was kept last), known (somebody has asked within the
-- hour), asked (somebody is asking now), wait (the server wants no request before `until`). Whoever takes the turn and
-- says nothing within two minutes has lost it.
CREATE OR REPLACE FUNCTION ask_for_notices(address text, forced boolean DEFAULT false) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '3s' AS $$
DECLARE
    known notice_sources;
BEGIN
    INSERT INTO notice_sources (source) VALUES (address) ON CONFLICT (source) DO NOTHING;
    SELECT * INTO known FROM notice_sources WHERE source = address FOR UPDATE;
    IF known.not_before > clock_timestamp() THEN
        RETURN jsonb_build_object('code', 'wait', 'until', known.not_before);
    ELSIF known.asked > clock_timestamp() - interval '2 minutes' AND coalesce(known.answered < known.asked, true) THEN
        RETURN jsonb_build_object('code', 'asked');
    ELSIF NOT forced AND known.answered > clock_timestamp() - interval '55 minutes' THEN
        RETURN jsonb_build_object('code', 'known');
    END IF;
    UPDATE notice_sources SET asked = clock_timestamp() WHERE source = address;
    RETURN jsonb_build_object('code', 'ask', 'state', known.state);
END $$;

-- Keeps what came, `{"state": …, "notices": [{"mark", "title", "words", "link", "published"}, …]}` with the oldest
-- first, without `notices` where nothing has changed; or why nothing came, `{"problem": …, "until": …}`. A notice that
-- was changed, and says that it is newer, is unread again. One that is left out although older ones are there was taken
-- back, and goes, if the source is `complete`. Returns how many are new.
CREATE OR REPLACE FUNCTION keep_notices(address text, answer jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '3s' AS $$
DECLARE
    moment timestamp with time zone := clock_timestamp();
    added integer := 0;
    marks text[] := '{}';
    each record;
    present notices;
BEGIN
    PERFORM FROM notice_sources WHERE source = address FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    ELSIF answer ? 'problem' THEN
        UPDATE notice_sources SET answered = clock_timestamp(), problem = left(answer->>'problem', 1000),
            not_before = CASE WHEN answer->>'until' IS NOT NULL THEN
                least((answer->>'until')::timestamp with time zone, clock_timestamp() + interval '1 day') END
            WHERE source = address;
        PERFORM pg_notify('abq_messages', jsonb_build_object('code', 'notices')::text);
        RETURN 0;
    END IF;
    FOR each IN
        SELECT left(mark, 200) AS mark, left(title, 300) AS title, left(words, 20000) AS words, left(link, 2000) AS link,
            CASE WHEN published IS NOT NULL THEN least(published, moment) END AS published
        FROM ROWS FROM (jsonb_to_recordset(coalesce(answer->'notices', '[]'))
            AS (mark text, title text, words text, link text, published timestamp with time zone)
        ) WITH ORDINALITY AS n (mark, title, words, link, published, place)
        WHERE place <= 200 AND num_nulls(mark, title, words) = 0 ORDER BY place
    LOOP
        marks := marks || each.mark;
        SELECT * INTO present FROM notices WHERE source = address AND mark = each.mark;
        IF NOT FOUND THEN
            INSERT INTO notices (source, mark, published, fetched, title, words, link, login) VALUES (address, each.mark,
                coalesce(each.published, moment), moment, each.title, each.words, each.link,
                session_user);
            added := added + 1;
        ELSIF (present.title, present.words, present.link) IS DISTINCT FROM (each.title, each.words, each.link) THEN
            UPDATE notices SET title = each.title, words = each.words, link = each.link, login = session_user,
                published = coalesce(each.published, present.published), fetched = moment
                WHERE id = present.id;
            IF each.published > present.published THEN
                DELETE FROM notice_readers WHERE notice = present.id;
                added := added + 1;
            END IF;
        END IF;
    END LOOP;
    IF answer->'complete' = 'true' THEN
        DELETE FROM notices WHERE source = address AND mark <> ALL (marks) AND published > (
            SELECT min(published) FROM notices WHERE source = address AND mark = ANY (marks));
    END IF;
    DELETE FROM notices WHERE source = address AND id NOT IN (
        SELECT id FROM notices WHERE source = address ORDER BY published DESC, id DESC LIMIT 200);
    DELETE FROM notice_sources WHERE asked < clock_timestamp() - interval '90 days';
    UPDATE notice_sources SET answered = clock_timestamp(), fetched = clock_timestamp(), problem = NULL,
        not_before = NULL, state = CASE WHEN length(answer->>'state') <= 4000 THEN answer->'state' ELSE '{}' END
        WHERE source = address;
    PERFORM pg_notify('abq_messages', jsonb_build_object('code', 'notices')::text);
    RETURN added;
END $$;

-- The asking person has read these. Returns how many weren't read before.
CREATE OR REPLACE FUNCTION read_notices(those bigint[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '1s' AS $$
DECLARE
    count integer;
BEGIN
    INSERT INTO notice_readers (notice, reader, read, login)
        SELECT id, asking_person(), clock_timestamp(), session_user FROM notices WHERE id = ANY (those)
        ON CONFLICT (notice, reader) DO NOTHING;
    GET DIAGNOSTICS count = ROW_COUNT;
    IF count > 0 THEN -- another window of the same person
        PERFORM pg_notify('abq_messages', jsonb_build_object('code', 'notices')::text);
    END IF;
    RETURN count;
END $$;

-- ------------------------------------------------------------------------------------------------- what QA reads

DO $$
DECLARE
    definition text := $view$
        SELECT
            p.date AS "Date",
            to_char(p.time, 'FMHH24:MI') AS "Time",
            t.name AS "Technician",
            p.lab_id AS "Lab",
            p.plot AS "Plot",
            p.seed_sample AS "Seed sample",
            p.humidity AS "Humidity",
            p.light AS "Light",
            p.temperature AS "Temperature",
            p.equipment_fault AS "Equipment Fault",
            p.plants AS "Plants",
            p.blossoms AS "Blossoms",
            p.fruit AS "Fruit",
            p.min_height AS "Min Height",
            p.max_height AS "Max Height",
            p.median_height AS "Median Height",
            p.notes AS "Notes"
        FROM plot_checks AS p
        LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id
        WHERE (SELECT seen_labs(current_user)) IS NULL OR p.lab_id = ANY ((SELECT seen_labs(current_user))::bpchar[])
    $view$;
    grants text[];
    each text;
    users text;
BEGIN
    BEGIN
        EXECUTE 'CREATE OR REPLACE VIEW data_record_view AS' || definition;
    EXCEPTION WHEN invalid_table_definition THEN
        -- An older view with other columns can't be replaced: it is made anew, with the rights it had.
        SELECT array_agg(format(
                'GRANT %s ON data_record_view TO %s%s',
                right_of.privilege_type,
                CASE right_of.grantee WHEN 0 THEN 'PUBLIC' ELSE right_of.grantee::regrole::text END,
                CASE WHEN right_of.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
            )) INTO grants
            FROM pg_class, aclexplode(relacl) AS right_of
            WHERE pg_class.oid = 'data_record_view'::regclass AND right_of.grantee <> relowner;
        BEGIN
            DROP VIEW data_record_view;
        EXCEPTION WHEN dependent_objects_still_exist THEN
            GET STACKED DIAGNOSTICS users = PG_EXCEPTION_DETAIL;
            RAISE EXCEPTION 'data_record_view must be made anew, but another view uses it.'
                USING DETAIL = users,
                    HINT = 'Keep the definition of that view, drop it, apply this file, and create the view again.';
        END;
        EXECUTE 'CREATE VIEW data_record_view AS' || definition;
        FOREACH each IN ARRAY coalesce(grants, '{}') LOOP
            EXECUTE each;
        END LOOP;
    END;
END $$;

-- Records that were withdrawn and weren't brought back: with the columns of the extract, then when, by whom and why.
-- A row that got another key hasn't gone: see moved_from.
CREATE OR REPLACE VIEW withdrawn_records AS
    SELECT
        r.date AS "Date",
        to_char(r.time, 'FMHH24:MI') AS "Time",
        t.name AS "Technician",
        r.lab_id AS "Lab",
        r.plot AS "Plot",
        r.seed_sample AS "Seed sample",
        r.humidity AS "Humidity",
        r.light AS "Light",
        r.temperature AS "Temperature",
        r.equipment_fault AS "Equipment Fault",
        r.plants AS "Plants",
        r.blossoms AS "Blossoms",
        r.fruit AS "Fruit",
        r.min_height AS "Min Height",
        r.max_height AS "Max Height",
        r.median_height AS "Median Height",
        r.notes AS "Notes",
        gone.moment AS withdrawn,
        gone.database_user,
        gone.application_user,
        gone.workstation,
        gone.reason,
        gone.sequence AS entry
    FROM audit AS gone
    CROSS JOIN LATERAL jsonb_to_record(gone.old) AS r (
        date date, time time, lab_id char(1), plot smallint, seed_sample char(6), humidity numeric(4, 2),
        light numeric(5, 2), temperature numeric(4, 2), equipment_fault boolean, plants smallint, blossoms smallint,
        fruit smallint, min_height numeric(6, 2), max_height numeric(6, 2), median_height numeric(6, 2), notes text,
        lab_tech_id smallint
    )
    LEFT JOIN lab_techs AS t ON t.id = r.lab_tech_id
    WHERE gone.table_name = 'plot_checks' AND gone.operation = 'DELETE'
        AND NOT EXISTS (
            SELECT FROM audit AS back
            WHERE back.key = gone.key AND back.table_name = 'plot_checks' AND back.operation = 'INSERT'
                AND back.sequence > gone.sequence
                AND back.new @> (gone.old - ARRAY['date', 'time', 'lab_id', 'plot', 'version'])
        )
        AND NOT EXISTS (
            SELECT FROM audit AS moved
            WHERE moved.lab_id = gone.lab_id AND moved.sequence = gone.sequence + 1
                AND moved.transaction = gone.transaction
                AND moved.table_name = 'plot_checks' AND moved.operation = 'INSERT'
                AND moved.new @> (gone.old - ARRAY['date', 'time', 'lab_id', 'plot', 'version'])
        )
        AND NOT EXISTS (
            SELECT FROM audit AS moved
            WHERE moved.lab_id <> gone.lab_id AND moved.transaction = gone.transaction
                AND moved.moment BETWEEN gone.moment - interval '1 minute' AND gone.moment + interval '1 minute'
                AND moved.table_name = 'plot_checks' AND moved.operation = 'INSERT'
                AND moved.new @> (gone.old - ARRAY['date', 'time', 'lab_id', 'plot', 'version'])
                AND NOT EXISTS (
                    SELECT FROM audit AS between_them
                    WHERE between_them.transaction = gone.transaction
                        AND between_them.moment > gone.moment AND between_them.moment < moved.moment
                )
        )
        AND (
            (SELECT seen_labs(current_user)) IS NULL
            OR gone.lab_id = ANY ((SELECT seen_labs(current_user))::bpchar[])
        );

-- ------------------------------------------------------------------------------------------------- what QA asks
-- Each is a view over everything and a function of the same name over some dates, both ends included; NULL is no end.
-- Functions read the views, with the rights of whoever calls them. docs/qa.md says what each is for.

CREATE OR REPLACE FUNCTION qa_views() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT ARRAY[
        'plot_readings', 'outside_weather', 'check_means', 'completeness', 'copied_records', 'digit_preference',
        'growth', 'changes', 'weather_correlation', 'control_chart', 'reading_outliers', 'sensor_drift', 'entry_log',
        'changed_since_kept',
        'climate_by_check'
    ]
$$;

-- The records by lower-case names, each with the moment when its check was due: what all of these start from. Values
-- that QA excluded are left empty, and a record that QA excluded is left out. A fault leaves the three readings empty, also
-- in rows that are older than that rule.
CREATE OR REPLACE VIEW plot_readings AS
    SELECT p.date, p.time, (p.date + p.time) AT TIME ZONE (SELECT time_zone FROM lab_settings) AS due, p.lab_id AS lab,
        p.plot, p.seed_sample, t.name AS technician,
        CASE WHEN p.equipment_fault OR 'humidity' = ANY (x.fields) THEN NULL::numeric(4, 2) ELSE p.humidity END AS humidity,
        CASE WHEN p.equipment_fault OR 'light' = ANY (x.fields) THEN NULL::numeric(5, 2) ELSE p.light END AS light,
        CASE WHEN p.equipment_fault OR 'temperature' = ANY (x.fields) THEN NULL::numeric(4, 2) ELSE p.temperature END
            AS temperature,
        p.equipment_fault,
        CASE WHEN 'plants' = ANY (x.fields) THEN NULL ELSE p.plants END AS plants,
        CASE WHEN 'blossoms' = ANY (x.fields) THEN NULL ELSE p.blossoms END AS blossoms,
        CASE WHEN 'fruit' = ANY (x.fields) THEN NULL ELSE p.fruit END AS fruit,
        CASE WHEN 'min_height' = ANY (x.fields) THEN NULL::numeric(6, 2) ELSE p.min_height END AS min_height,
        CASE WHEN 'max_height' = ANY (x.fields) THEN NULL::numeric(6, 2) ELSE p.max_height END AS max_height,
        CASE WHEN 'median_height' = ANY (x.fields) THEN NULL::numeric(6, 2) ELSE p.median_height END AS median_height,
        CASE WHEN 'notes' = ANY (x.fields) THEN NULL ELSE p.notes END AS notes
    FROM plot_checks AS p
    LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id
    LEFT JOIN (
        SELECT date, time, lab_id, plot, array_agg(field) AS fields FROM value_marks
        WHERE state = 'excluded' AND status <> 'closed' AND gone IS NULL
        GROUP BY date, time, lab_id, plot
    ) AS x ON x.date = p.date AND x.time = p.time AND x.lab_id = p.lab_id AND x.plot = p.plot
    WHERE (x.fields IS NULL OR 'record' <> ALL (x.fields)) AND (
        (SELECT seen_labs(current_user)) IS NULL OR p.lab_id = ANY ((SELECT seen_labs(current_user))::bpchar[])
    );

-- Saturation vapour pressure in kPa at a temperature in °C: equation 11 of FAO Irrigation and Drainage Paper 56.
CREATE OR REPLACE FUNCTION saturation_kpa(celsius double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT CASE WHEN celsius > -200 THEN 0.6108 * exp(17.27 * celsius / (celsius + 237.3)) END
$$;

-- What a station observed, with its absolute humidity in g/m³. Rows that say nothing of their kind were observed.
CREATE OR REPLACE VIEW outside_weather AS
    SELECT datetime AS moment, temperature, rel_hum, pressure, coalesce(kind, 'observed') AS kind,
        CASE WHEN temperature > -200 AND rel_hum IS NOT NULL THEN -- below, exp() fails
            rel_hum::double precision / 100
            * (0.6108 * exp(17.27 * temperature::double precision / (temperature::double precision + 237.3)))
            * 1000000 / (461.5 * (temperature::double precision + 273.15))
        END AS humidity
    FROM local_weather;

-- Each check of a lab that was due, from its first one on, and the plots that it should have: bit n stands for plot n. A
-- plot that was added later counts from then on, or from its first record.
CREATE OR REPLACE VIEW completeness AS
    WITH seen AS (
        SELECT labs.id AS lab, retired, time_zone
        FROM labs, lab_settings
        WHERE (SELECT seen_labs(current_user)) IS NULL OR labs.id = ANY ((SELECT seen_labs(current_user))::bpchar[])
    ), recorded AS (
        SELECT date, time, lab_id AS lab, count(*) AS records, bit_or(1 << plot) AS plots
        FROM plot_checks
        GROUP BY date, time, lab_id
    ), checks AS (
        SELECT day::date AS date, hour AS time, lab
        FROM seen
        CROSS JOIN LATERAL (
            SELECT date, time FROM plot_checks WHERE lab_id = lab ORDER BY date, time LIMIT 1
        ) AS first
        CROSS JOIN LATERAL generate_series(
            first.date::timestamp, (now() AT TIME ZONE time_zone)::date::timestamp, interval '1 day'
        ) AS day
        CROSS JOIN unnest(ARRAY['8:00', '12:00', '16:00', '20:00']::time[]) AS hour
        CROSS JOIN LATERAL (SELECT (day::date + hour) AT TIME ZONE time_zone AS due) AS moment
        WHERE (day::date, hour) >= (first.date, first.time) AND due <= now() AND (retired IS NULL OR due < retired)
        UNION
        SELECT date, time, lab FROM recorded JOIN seen USING (lab)
    ), plot_lives AS (
        SELECT lab_id AS lab, plot, retired,
            CASE WHEN transaction IS DISTINCT FROM first_value(transaction) OVER together
                THEN least(moment, first_due) END AS since
        FROM (
            SELECT plots.lab_id, plots.plot, plots.retired, added.moment, added.transaction,
                (
                    SELECT (p.date + p.time) AT TIME ZONE (SELECT time_zone FROM lab_settings) FROM plot_checks AS p
                    WHERE p.lab_id = plots.lab_id AND p.plot = plots.plot ORDER BY p.date, p.time LIMIT 1
                ) AS first_due
            FROM plots
            LEFT JOIN LATERAL (
                SELECT moment, transaction FROM audit
                WHERE key = jsonb_build_object('lab_id', plots.lab_id, 'plot', plots.plot) AND table_name = 'plots'
                    AND operation = 'INSERT'
                ORDER BY sequence DESC LIMIT 1
            ) AS added ON true
        ) AS places
        WINDOW together AS (PARTITION BY lab_id ORDER BY moment NULLS FIRST)
    ), compared AS (
        SELECT checks.date, checks.time, checks.lab, coalesce(recorded.records, 0) AS records,
            coalesce(recorded.plots, 0) AS plots, coalesce(bit_or(1 << plot) FILTER (
                WHERE (since IS NULL OR since <= due.moment) AND (retired IS NULL OR retired > due.moment)
            ), 0) AS wanted
        FROM checks
        CROSS JOIN LATERAL (
            SELECT (checks.date + checks.time) AT TIME ZONE (SELECT time_zone FROM lab_settings) AS moment
        ) AS due
        LEFT JOIN recorded USING (date, time, lab)
        LEFT JOIN plot_lives ON plot_lives.lab = checks.lab
        GROUP BY checks.date, checks.time, checks.lab, recorded.records, recorded.plots
    )
    SELECT date, time, lab, length(replace((wanted | plots)::bit(32)::text, '0', '')) AS expected,
        records::integer AS recorded,
        CASE WHEN wanted & ~plots = 0 THEN '{}' ELSE ARRAY(
            SELECT plot::smallint FROM generate_series(1, 20) AS plot WHERE (wanted & ~plots) & (1 << plot) <> 0
        ) END AS missing
    FROM compared
    WHERE wanted | plots <> 0;

CREATE OR REPLACE FUNCTION completeness(from_date date, to_date date) RETURNS SETOF completeness
LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off AS $$
    SELECT * FROM completeness
    WHERE date >= coalesce(from_date, '-infinity') AND date <= coalesce(to_date, 'infinity')
$$;

-- Records that say the same as the one of the day before.
CREATE OR REPLACE VIEW copied_records AS
    SELECT * FROM (
        SELECT r.date, r.time, r.lab, r.plot, r.technician,
            coalesce((r.humidity, r.light, r.temperature) = (b.humidity, b.light, b.temperature), false) AS same_climate,
            coalesce((r.min_height, r.max_height, r.median_height) = (b.min_height, b.max_height, b.median_height), false)
                AS same_heights
        FROM plot_readings AS r
        JOIN plot_readings AS b ON (b.date, b.time, b.lab, b.plot) = (r.date - 1, r.time, r.lab, r.plot)
    ) AS compared
    WHERE same_climate OR same_heights;

CREATE OR REPLACE FUNCTION copied_records(from_date date, to_date date) RETURNS SETOF copied_records
LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off AS $$
    SELECT * FROM copied_records
    WHERE date >= coalesce(from_date, '-infinity') AND date <= coalesce(to_date, 'infinity')
$$;

-- erfc, which PostgreSQL has from version 16 on: W. H. Press and others, Numerical Recipes, to 1.2e-7 of the value.
CREATE OR REPLACE FUNCTION error_tail(z double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT CASE WHEN z > 26 THEN 0 ELSE t * exp(-z * z - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418
        + t * (-0.18628806 + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223
        + t * 0.17087277))))))))) END
    FROM (SELECT 1 / (1 + 0.5 * z) AS t) AS transformed
$$;

-- The probability that chi-square with 9 degrees of freedom is at least that large.
CREATE OR REPLACE FUNCTION chi_square_tail(chi2 double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT CASE WHEN chi2 > 1300 THEN 0 WHEN chi2 >= 0 THEN least(1, error_tail(sqrt(chi2 / 2))
        + sqrt(2 * chi2 / pi()) * exp(-chi2 / 2) * (1 + chi2 / 3 + chi2 ^ 2 / 15 + chi2 ^ 3 / 105)) END
$$;

-- How often each last digit stands in the readings of a technician, against all ten being as frequent.
CREATE OR REPLACE FUNCTION digit_preference(from_date date, to_date date)
RETURNS TABLE (
    technician varchar, field text, n bigint, chi2 double precision, p double precision, cramers_v double precision,
    share_0_5 double precision
)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH digits AS (
        SELECT r.technician, (r.humidity * 100)::integer % 10 AS h, (r.light * 100)::integer % 10 AS l,
            (r.temperature * 100)::integer % 10 AS t, count(*) AS times
        FROM plot_readings AS r
        WHERE r.date >= coalesce(from_date, '-infinity') AND r.date <= coalesce(to_date, 'infinity')
        GROUP BY 1, 2, 3, 4
    ), counted AS (
        SELECT technician, each.field, each.digit, sum(times)::double precision AS times
        FROM digits CROSS JOIN LATERAL (VALUES ('humidity', h), ('light', l), ('temperature', t)) AS each (field, digit)
        WHERE each.digit IS NOT NULL
        GROUP BY 1, 2, 3
    ), tested AS (
        SELECT technician, field, sum(times) AS n, 10 * sum(times ^ 2) / sum(times) - sum(times) AS chi2,
            coalesce(sum(times) FILTER (WHERE digit IN (0, 5)), 0) / sum(times) AS round_share
        FROM counted GROUP BY 1, 2
    )
    SELECT technician, field, tested.n::bigint, CASE WHEN tested.n >= 10 THEN tested.chi2 END,
        CASE WHEN tested.n >= 10 THEN chi_square_tail(tested.chi2) END,
        CASE WHEN tested.n >= 10 THEN sqrt(tested.chi2 / (9 * tested.n)) END,
        CASE WHEN tested.n >= 10 THEN round_share END
    FROM tested ORDER BY 1, 2;
END $$;

CREATE OR REPLACE VIEW digit_preference AS SELECT * FROM digit_preference(NULL, NULL);

-- The middle and the mean of the plots at each check: records without fault. A field may have fewer readings than there are
-- such records, since QA may have excluded values of it.
CREATE OR REPLACE VIEW check_means AS
    SELECT lab, date, time, min(due) AS due, count(*) FILTER (WHERE NOT equipment_fault) AS readings,
        avg(temperature)::double precision AS temperature_mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY temperature::double precision) AS temperature_median,
        avg(humidity)::double precision AS humidity_mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY humidity::double precision) AS humidity_median,
        avg(light)::double precision AS light_mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY light::double precision) AS light_median,
        count(temperature) AS temperature_readings, count(humidity) AS humidity_readings, count(light) AS light_readings
    FROM plot_readings
    GROUP BY date, time, lab;

-- The climate inside by check, and the weather that was observed nearest to it: the earlier of two that are as near.
CREATE OR REPLACE VIEW climate_by_check AS
    WITH enough AS (
        SELECT lab, date, time, due, readings,
            CASE WHEN temperature_readings >= 10 THEN temperature_mean END AS temperature_mean,
            CASE WHEN temperature_readings >= 10 THEN temperature_median END AS temperature_median,
            CASE WHEN humidity_readings >= 10 THEN humidity_mean END AS humidity_mean,
            CASE WHEN humidity_readings >= 10 THEN humidity_median END AS humidity_median,
            CASE WHEN light_readings >= 10 THEN light_mean END AS light_mean,
            CASE WHEN light_readings >= 10 THEN light_median END AS light_median
        FROM check_means
    ), outside AS (
        SELECT moments.due, nearest.*, abs(extract(epoch FROM nearest.moment - moments.due))::double precision / 60
            AS distance
        FROM (SELECT DISTINCT due FROM enough) AS moments
        CROSS JOIN LATERAL (
            SELECT * FROM outside_weather
            WHERE moment >= moments.due - interval '45 minutes' AND moment <= moments.due + interval '45 minutes'
                AND temperature IS NOT NULL
            ORDER BY kind = 'model', abs(extract(epoch FROM moment - moments.due)), moment LIMIT 1
        ) AS nearest
    )
    SELECT lab, date, time, enough.due, readings, temperature_mean, temperature_median, humidity_mean, humidity_median,
        light_mean, light_median, outside.temperature AS outside_temperature, outside.rel_hum AS outside_rel_hum,
        outside.humidity AS outside_humidity, outside.pressure AS outside_pressure, distance AS distance_minutes,
        saturation_kpa(temperature_mean) - humidity_mean * 461.5 * (temperature_mean + 273.15) / 1000000 AS vpd_kpa,
        temperature_mean - outside.temperature::double precision AS temperature_difference,
        humidity_mean - outside.humidity AS humidity_difference,
        outside.kind AS outside_kind
    FROM enough LEFT JOIN outside ON outside.due = enough.due;

CREATE OR REPLACE FUNCTION climate_by_check(from_date date, to_date date) RETURNS SETOF climate_by_check
LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off AS $$
    SELECT * FROM climate_by_check
    WHERE date >= coalesce(from_date, '-infinity') AND date <= coalesce(to_date, 'infinity')
$$;
-- How plants grew, by plot, seed sample and day, and the degree days that they had: base 10 °C, upper limit 30 °C, with
-- both methods of G. S. McMaster and W. W. Wilhelm, Agricultural and Forest Meteorology 87 (1997): the mean is kept within
-- the limits, or minimum and maximum are (clipped).
CREATE OR REPLACE VIEW growth AS
    WITH days AS (
        SELECT lab, plot, seed_sample, date, (array_agg(median_height ORDER BY time DESC)
                FILTER (WHERE median_height IS NOT NULL))[1] AS height,
            min(temperature)::double precision AS low, max(temperature)::double precision AS high
        FROM plot_readings
        GROUP BY lab, plot, seed_sample, date
    ), degrees AS (
        SELECT lab, plot, seed_sample, date, height,
            CASE WHEN low IS NOT NULL THEN greatest(least((low + high) / 2, 30), 10) - 10 END AS gdd,
            CASE WHEN low IS NOT NULL THEN
                (greatest(least(low, 30), 10) + greatest(least(high, 30), 10)) / 2 - 10 END AS gdd_clipped
        FROM days
    )
    SELECT lab, plot, seed_sample, date, height, height - lag(height) OVER measured AS gain,
        gdd, sum(gdd) OVER so_far AS gdd_cumulative,
        gdd_clipped, sum(gdd_clipped) OVER so_far AS gdd_clipped_cumulative
    FROM degrees
    WINDOW so_far AS (PARTITION BY lab, plot, seed_sample ORDER BY date),
        measured AS (PARTITION BY lab, plot, seed_sample, height IS NULL ORDER BY date);

CREATE OR REPLACE FUNCTION growth(from_date date, to_date date) RETURNS SETOF growth
LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off AS $$
    SELECT * FROM growth
    WHERE date >= coalesce(from_date, '-infinity') AND date <= coalesce(to_date, 'infinity')
$$;

-- Where the weather is missing: what lies more than 90 minutes between two observations, and checks without one within
-- 45 minutes. Only what has a temperature was observed. NULL is the first observation (or, without any, the first check),
-- and now.
CREATE OR REPLACE FUNCTION weather_holes(from_time timestamptz, to_time timestamptz)
RETURNS TABLE (
    kind text, begins timestamptz, ends timestamptz, minutes double precision, date date, "time" time
)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off AS $$
#variable_conflict use_column
DECLARE
    lower_end timestamptz := coalesce(nullif(from_time, '-infinity'), (
        SELECT min(w.moment) FROM outside_weather AS w WHERE w.kind = 'observed' AND w.temperature IS NOT NULL
    ), (SELECT min(r.due) FROM plot_readings AS r));
    upper_end timestamptz := least(to_time, now());
BEGIN
    RETURN QUERY
    SELECT 'gap', gap.moment, gap.next, extract(epoch FROM gap.next - gap.moment)::double precision / 60,
        NULL::date, NULL::time
    FROM (
        SELECT points.moment, lead(points.moment) OVER (ORDER BY points.moment) AS next
        FROM (
            SELECT w.moment FROM outside_weather AS w
            WHERE w.kind = 'observed' AND w.temperature IS NOT NULL AND w.moment BETWEEN lower_end AND upper_end
            UNION SELECT lower_end UNION SELECT upper_end
        ) AS points
        WHERE lower_end < upper_end -- else nothing lies between them
    ) AS gap
    WHERE gap.next - gap.moment > interval '90 minutes'
    UNION ALL
    SELECT 'check', checks.due, checks.due, (
            SELECT least(
                (SELECT extract(epoch FROM checks.due - max(w.moment)) FROM outside_weather AS w
                    WHERE w.kind = 'observed' AND w.temperature IS NOT NULL AND w.moment <= checks.due),
                (SELECT extract(epoch FROM min(w.moment) - checks.due) FROM outside_weather AS w
                    WHERE w.kind = 'observed' AND w.temperature IS NOT NULL AND w.moment >= checks.due)
            )::double precision / 60
        ), checks.date, checks.time
    FROM (
        SELECT DISTINCT r.due, r.date, r.time FROM plot_readings AS r WHERE r.due BETWEEN lower_end AND upper_end
    ) AS checks
    WHERE NOT EXISTS (
        SELECT FROM outside_weather AS w
        WHERE w.moment BETWEEN checks.due - interval '45 minutes' AND checks.due + interval '45 minutes'
            AND w.kind = 'observed' AND w.temperature IS NOT NULL
    )
    ORDER BY 2, 1 DESC;
END $$;

-- What was changed in records, one row a field. A record that was withdrawn or brought back has a row of the field
-- record; one that was moved a row for each part of its place, under the place that it had.
CREATE OR REPLACE VIEW changes AS
    SELECT a.moment,
        CASE
            WHEN a.application_user IS NULL THEN a.database_user
            WHEN a.application_user = own.name THEN own.name
            ELSE format('%s (login %s)', a.application_user, a.database_user)
        END AS who,
        a.workstation, a.reason, (a.key ->> 'date')::date AS date, (a.key ->> 'time')::time AS time,
        a.lab_id AS lab, (a.key ->> 'plot')::smallint AS plot, changed.field, changed.was, changed.became
    FROM audit AS a
    LEFT JOIN (technician_logins JOIN lab_techs AS own ON own.id = lab_tech_id) ON login = a.database_user
    LEFT JOIN LATERAL (
        SELECT m.key FROM audit AS m
        WHERE a.operation = 'DELETE' AND m.transaction = a.transaction AND m.table_name = 'plot_checks'
            AND m.operation = 'INSERT' AND m.new @> (a.old - ARRAY['date', 'time', 'lab_id', 'plot', 'version'])
            AND m.lab_id = a.lab_id AND m.sequence = a.sequence + 1
        UNION ALL
        SELECT m.key FROM audit AS m
        WHERE a.operation = 'DELETE' AND m.transaction = a.transaction AND m.table_name = 'plot_checks'
            AND m.operation = 'INSERT' AND m.new @> (a.old - ARRAY['date', 'time', 'lab_id', 'plot', 'version'])
            AND m.lab_id <> a.lab_id AND m.moment >= a.moment AND m.moment <= a.moment + interval '1 minute'
        LIMIT 1
    ) AS moved ON true
    CROSS JOIN LATERAL (
        SELECT CASE key WHEN 'lab_tech_id' THEN 'technician' ELSE key END AS field,
            CASE key WHEN 'lab_tech_id' THEN (SELECT name FROM lab_techs WHERE id = (a.old ->> key)::smallint)
                ELSE a.old ->> key END AS was,
            CASE key WHEN 'lab_tech_id' THEN (SELECT name FROM lab_techs WHERE id = value::smallint)
                ELSE value END AS became
        FROM jsonb_each_text(a.new)
        WHERE a.operation = 'UPDATE' AND key <> 'version' AND value IS DISTINCT FROM a.old ->> key
        UNION ALL
        SELECT CASE key WHEN 'lab_id' THEN 'lab' ELSE key END, value, moved.key ->> key
        FROM jsonb_each_text(a.key)
        WHERE moved.key IS NOT NULL AND value IS DISTINCT FROM moved.key ->> key
        UNION ALL
        SELECT 'record' AS field, 'entered' AS was, 'withdrawn' AS became WHERE a.operation = 'DELETE' AND moved.key IS NULL
        UNION ALL
        SELECT 'record' AS field, 'withdrawn' AS was, 'entered' AS became
        WHERE a.operation = 'INSERT' AND EXISTS (
            SELECT FROM audit AS gone
            WHERE gone.key = a.key AND gone.table_name = 'plot_checks' AND gone.operation = 'DELETE'
                AND gone.sequence < a.sequence AND a.new @> (gone.old - ARRAY['version'])
        )
    ) AS changed
    WHERE a.table_name = 'plot_checks' AND (a.operation <> 'INSERT' OR a.reason IS NOT NULL) AND (
        (SELECT seen_labs(current_user)) IS NULL OR a.lab_id = ANY ((SELECT seen_labs(current_user))::bpchar[])
    );

CREATE OR REPLACE FUNCTION changes(since timestamptz) RETURNS SETOF changes
LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off AS $$
    SELECT * FROM changes WHERE moment >= coalesce(since, '-infinity') ORDER BY moment
$$;

-- The mean of each check against the weather some hours before it: humidity against the absolute humidity outside, light
-- and temperature against the temperature. The second r is that of what is left when both have lost the mean of their
-- time of day. n_effective after C. S. Bretherton and others, Journal of Climate 12 (1999); limits of r by Fisher's z.
CREATE OR REPLACE FUNCTION weather_correlation(from_date date, to_date date)
RETURNS TABLE (
    lab char(1), field text, lag_hours integer, n bigint, r double precision, r_without_daily_cycle double precision,
    n_effective double precision, low double precision, high double precision, slope double precision,
    intercept double precision
)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off
SET plan_cache_mode = force_custom_plan SET work_mem = '128MB' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH checks AS MATERIALIZED (
        SELECT m.lab, (dense_rank() OVER (ORDER BY m.lab))::integer AS lab_number, m.time, m.due,
            CASE WHEN m.temperature_readings >= 10 THEN m.temperature_mean END AS temperature_mean,
            CASE WHEN m.humidity_readings >= 10 THEN m.humidity_mean END AS humidity_mean,
            CASE WHEN m.light_readings >= 10 THEN m.light_mean END AS light_mean
        FROM check_means AS m
        WHERE m.date >= coalesce(from_date, '-infinity') AND m.date <= coalesce(to_date, 'infinity')
            AND m.readings >= 10
    ), outside AS MATERIALIZED (
        SELECT targets.moment, warm.temperature::double precision AS temperature,
            coalesce(warm.humidity, damp.humidity) AS humidity
        FROM (
            SELECT DISTINCT due - hours * interval '1 hour' AS moment
            FROM (SELECT DISTINCT due FROM checks) AS each, generate_series(0, 12) AS hours
        ) AS targets
        LEFT JOIN LATERAL (
            SELECT w.temperature, w.humidity FROM outside_weather AS w
            WHERE w.moment BETWEEN targets.moment - interval '45 minutes' AND targets.moment + interval '45 minutes'
                AND w.temperature IS NOT NULL
            ORDER BY w.kind = 'model', abs(extract(epoch FROM w.moment - targets.moment)), w.moment LIMIT 1
        ) AS warm ON true
        LEFT JOIN LATERAL (
            SELECT w.humidity FROM outside_weather AS w
            WHERE w.moment BETWEEN targets.moment - interval '45 minutes' AND targets.moment + interval '45 minutes'
                AND warm.humidity IS NULL AND w.humidity IS NOT NULL
            ORDER BY w.kind = 'model', abs(extract(epoch FROM w.moment - targets.moment)), w.moment LIMIT 1
        ) AS damp ON true
    ), pairs AS ( -- by a number for each lab, field and lag: it is sorted faster than those
        SELECT series, time, x, y, lag(x) OVER one_by_one AS x0, lag(y) OVER one_by_one AS y0
        FROM (
            SELECT (lab_number * 3 + each.field) * 13 + hours AS series, time, due, each.x, each.y
            FROM checks CROSS JOIN generate_series(0, 12) AS hours
            JOIN outside ON outside.moment = due - hours * interval '1 hour'
            CROSS JOIN LATERAL (VALUES
                (0, outside.humidity, humidity_mean), (1, temperature, light_mean), (2, temperature, temperature_mean)
            ) AS each (field, x, y)
            WHERE each.x IS NOT NULL AND each.y IS NOT NULL
        ) AS matched
        WINDOW one_by_one AS (PARTITION BY series ORDER BY due)
    ), by_time AS (
        SELECT series, count(*)::double precision AS n, avg(x) AS x, avg(y) AS y,
            regr_sxx(y, x) AS sxx, regr_syy(y, x) AS syy, regr_sxy(y, x) AS sxy,
            count(x0) AS n0, sum(x * x0) AS xx0, sum(y * y0) AS yy0,
            sum(x + x0) AS x_sum, sum(y + y0) AS y_sum
        FROM pairs GROUP BY series, time
    ), middle AS (
        SELECT series, sum(n) AS n, sum(n * x) / sum(n) AS x, sum(n * y) / sum(n) AS y
        FROM by_time GROUP BY series
    ), raw_sums AS (
        SELECT series, m.n, m.x, m.y,
            sum(t.sxx + t.n * (t.x - m.x) ^ 2) AS sxx, sum(t.syy + t.n * (t.y - m.y) ^ 2) AS syy,
            sum(t.sxy + t.n * (t.x - m.x) * (t.y - m.y)) AS sxy,
            sum(t.sxx) AS sxx_within, sum(t.syy) AS syy_within, sum(t.sxy) AS sxy_within,
            sum(t.xx0) - m.x * sum(t.x_sum) + sum(t.n0) * m.x ^ 2 AS x_next,
            sum(t.yy0) - m.y * sum(t.y_sum) + sum(t.n0) * m.y ^ 2 AS y_next
        FROM by_time AS t JOIN middle AS m USING (series)
        GROUP BY series, m.n, m.x, m.y
    ), sums AS ( -- of equal values the rounding leaves some 1e-20; no two means that differ lie so near
        SELECT series, n, x, y, sxy, sxy_within, x_next, y_next,
            CASE WHEN sxx > 1e-12 THEN sxx END AS sxx, CASE WHEN syy > 1e-12 THEN syy END AS syy,
            CASE WHEN sxx_within > 1e-12 THEN sxx_within END AS sxx_within,
            CASE WHEN syy_within > 1e-12 THEN syy_within END AS syy_within
        FROM raw_sums
    ), found AS (
        SELECT *, (SELECT min(c.lab) FROM checks AS c WHERE c.lab_number = series / 39) AS lab,
            (ARRAY['humidity', 'light', 'temperature'])[series / 13 % 3 + 1] AS field, series % 13 AS hours,
            sxy / sqrt(sxx * syy) AS r, sxy_within / sqrt(sxx_within * syy_within) AS r_within,
            n * (1 - x_next / sxx * y_next / syy) / nullif(1 + x_next / sxx * y_next / syy, 0) AS n_effective
        FROM sums
    )
    SELECT f.lab, f.field, f.hours, f.n::bigint, CASE WHEN abs(f.r) > 1 THEN sign(f.r) ELSE f.r END, -- by rounding
        CASE WHEN abs(f.r_within) > 1 THEN sign(f.r_within) ELSE f.r_within END, f.n_effective,
        CASE WHEN f.n_effective > 3 AND abs(f.r) < 1
            THEN tanh(atanh(f.r) - 1.959963984540054 / sqrt(f.n_effective - 3)) END,
        CASE WHEN f.n_effective > 3 AND abs(f.r) < 1
            THEN tanh(atanh(f.r) + 1.959963984540054 / sqrt(f.n_effective - 3)) END,
        f.sxy / f.sxx, f.y - f.sxy / f.sxx * f.x
    FROM found AS f WHERE f.n >= 10
    UNION ALL
    SELECT f.lab, f.field, f.hours, f.n::bigint, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM found AS f WHERE f.n < 10
    ORDER BY 1, 2, 3;
END $$;

CREATE OR REPLACE VIEW weather_correlation AS SELECT * FROM weather_correlation(NULL, NULL);

-- Individuals and moving range of the mean of each check less the mean of its time of day, with limits fixed from the base
-- period (lab_settings; not given: the first 30 days of the lab); rules by the numbers of L. S. Nelson, Journal of Quality
-- Technology 16 (1984).
CREATE OR REPLACE VIEW control_chart AS
    WITH points AS (
        SELECT m.lab, each.field, m.date, m.time, m.due, each.mean
        FROM check_means AS m
        CROSS JOIN LATERAL (VALUES
            ('humidity', humidity_mean, humidity_readings), ('light', light_mean, light_readings),
            ('temperature', temperature_mean, temperature_readings)
        ) AS each (field, mean, readings)
        WHERE each.readings >= 10
    ), bases AS (
        SELECT lab, coalesce(control_from, first) AS first, coalesce(control_to, coalesce(control_from, first) + 29) AS last
        FROM (SELECT lab, min(date) AS first FROM points GROUP BY lab) AS labs, lab_settings
    ), usual AS MATERIALIZED (
        SELECT lab, field, time, avg(mean) AS mean FROM points JOIN bases USING (lab)
        WHERE date BETWEEN bases.first AND bases.last GROUP BY lab, field, time
    ), series AS (
        -- Rounded, so that equal values are equal: else what rounding leaves would violate the rules.
        SELECT lab, field, date, due, round((points.mean - usual.mean) * 1e9) / 1e9 AS value,
            date BETWEEN bases.first AND bases.last AS is_base
        FROM points JOIN usual USING (lab, field, time) JOIN bases USING (lab)
    ), limits AS MATERIALIZED ( -- else it may be reckoned again for each point
        SELECT lab, field, round(avg(value) * 1e9) / 1e9 AS centre,
            avg(round(abs(value - before) * 1e9) / 1e9) / 1.128 AS sigma
        FROM (
            SELECT lab, field, value, lag(value) OVER (PARTITION BY lab, field ORDER BY due) AS before
            FROM series WHERE is_base
        ) AS base
        GROUP BY lab, field HAVING count(*) >= 10
    ), standardised AS (
        SELECT lab, field, due, date, value, centre, sigma, (value - centre) / nullif(sigma, 0) AS z,
            sign(value - lag(value) OVER in_order) AS step
        FROM series LEFT JOIN limits USING (lab, field)
        WINDOW in_order AS (PARTITION BY lab, field ORDER BY due)
    ), turned AS (
        SELECT *, step * lag(step) OVER (PARTITION BY lab, field ORDER BY due) AS turn FROM standardised
    ), counted AS (
        SELECT *, abs(z) > 3 AS rule_1,
            count(*) FILTER (WHERE z > 0) OVER w9 = 9 OR count(*) FILTER (WHERE z < 0) OVER w9 = 9 AS rule_2,
            count(*) FILTER (WHERE step > 0) OVER w5 = 5 OR count(*) FILTER (WHERE step < 0) OVER w5 = 5 AS rule_3,
            count(*) FILTER (WHERE turn < 0) OVER w12 = 12 AS rule_4,
            z > 2 AND count(*) FILTER (WHERE z > 2) OVER w3 >= 2
                OR z < -2 AND count(*) FILTER (WHERE z < -2) OVER w3 >= 2 AS rule_5,
            z > 1 AND count(*) FILTER (WHERE z > 1) OVER w5 >= 4
                OR z < -1 AND count(*) FILTER (WHERE z < -1) OVER w5 >= 4 AS rule_6,
            count(*) FILTER (WHERE abs(z) < 1) OVER w15 = 15 AS rule_7,
            count(*) FILTER (WHERE abs(z) > 1) OVER w8 = 8 AS rule_8
        FROM turned
        WINDOW w3 AS (PARTITION BY lab, field ORDER BY due ROWS 2 PRECEDING),
            w5 AS (PARTITION BY lab, field ORDER BY due ROWS 4 PRECEDING),
            w8 AS (PARTITION BY lab, field ORDER BY due ROWS 7 PRECEDING),
            w9 AS (PARTITION BY lab, field ORDER BY due ROWS 8 PRECEDING),
            w12 AS (PARTITION BY lab, field ORDER BY due ROWS 11 PRECEDING),
            w15 AS (PARTITION BY lab, field ORDER BY due ROWS 14 PRECEDING)
    )
    SELECT lab, field, due AS moment, value, centre, centre - 3 * sigma AS lower, centre + 3 * sigma AS upper,
        CASE WHEN z IS NOT NULL THEN array_remove(ARRAY[
            CASE WHEN rule_1 THEN 1 END, CASE WHEN rule_2 THEN 2 END, CASE WHEN rule_3 THEN 3 END,
            CASE WHEN rule_4 THEN 4 END, CASE WHEN rule_5 THEN 5 END, CASE WHEN rule_6 THEN 6 END,
            CASE WHEN rule_7 THEN 7 END, CASE WHEN rule_8 THEN 8 END
        ], NULL) END AS rules,
        date
    FROM counted;

-- `chosen`: the numbers of the rules that are told; not given: all eight.
CREATE OR REPLACE FUNCTION control_chart(from_date date, to_date date, chosen integer[] DEFAULT NULL)
RETURNS SETOF control_chart
LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off AS $$
    SELECT lab, field, moment, value, centre, lower, upper, CASE WHEN chosen IS NULL OR rules IS NULL THEN rules
        ELSE ARRAY(SELECT rule FROM unnest(rules) AS rule WHERE rule = ANY (chosen) ORDER BY rule) END,
        date
    FROM control_chart
    WHERE date >= coalesce(from_date, '-infinity') AND date <= coalesce(to_date, 'infinity')
$$;

-- Readings that stand out: the modified z of B. Iglewicz and D. C. Hoaglin (1993) of the residual, the reading less the
-- median of the lab's plots at that check, among the 61 of the plot around it, fewer at the ends. Light: the same with
-- log(1 + klx), among those of the same time of day. None where the MAD is 0.

-- Where in a row of residuals those are. What is in the window stays sorted from one place to the next, and the MAD is
-- reckoned only where about half of it lies nearer to the median than it may.
CREATE OR REPLACE FUNCTION find_outliers(residuals double precision[])
RETURNS TABLE (place integer, z double precision)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
    total integer := coalesce(cardinality(residuals), 0);
    width integer := least(total, 30);
    sorted double precision[] := ARRAY(SELECT each FROM unnest(residuals[1:30]) AS each ORDER BY each);
    at integer;
    median double precision;
    reach double precision;
    mad double precision;
BEGIN
    FOR i IN 1..total LOOP
        IF i + 30 <= total THEN
            at := width_bucket(residuals[i + 30], sorted);
            sorted := sorted[:at] || residuals[i + 30] || sorted[at + 1:];
            width := width + 1;
        END IF;
        IF i > 31 THEN
            at := width_bucket(residuals[i - 31], sorted);
            sorted := sorted[:at - 1] || sorted[at + 1:];
            width := width - 1;
        END IF;
        CONTINUE WHEN width < 10;
        median := (sorted[(width + 1) / 2] + sorted[width / 2 + 1]) / 2;
        reach := abs(residuals[i] - median) * 0.6745 / 3.5;
        CONTINUE WHEN 2 * (width_bucket(median + reach, sorted) - width_bucket(median - reach, sorted)) < width - 2;
        mad := (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(each - median)) FROM unnest(sorted) AS each);
        IF mad > 1e-9 AND mad < reach THEN
            place := i;
            z := 0.6745 * (residuals[i] - median) / mad;
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;

-- Those of a lab from `first` to `last`, looked for among the readings from `from_date` to `to_date`.
CREATE OR REPLACE FUNCTION judge_readings(of_lab char(1), first date, last date, from_date date, to_date date)
RETURNS TABLE (
    lab char(1), plot smallint, field text, date date, "time" time, value numeric, median double precision,
    z double precision
)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off SET work_mem = '64MB'
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH readings AS MATERIALIZED (
        SELECT r.date, r.time, r.plot, r.humidity, r.light, r.temperature FROM plot_readings AS r
        WHERE r.lab = of_lab AND r.date BETWEEN from_date AND to_date AND NOT r.equipment_fault
    ), medians AS MATERIALIZED (
        SELECT date, time, percentile_cont(0.5) WITHIN GROUP (ORDER BY humidity::double precision) AS humidity,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY light::double precision) AS light,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY ln(1 + light::double precision)) AS light_log,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY temperature::double precision) AS temperature
        FROM readings GROUP BY date, time
    ), residuals AS (
        SELECT r.plot, each.field, each.slot, r.date + r.time AS moment, each.residual
        FROM readings AS r JOIN medians AS m USING (date, time)
        CROSS JOIN LATERAL (VALUES
            ('humidity', NULL, r.humidity::double precision - m.humidity),
            ('light', r.time, ln(1 + r.light::double precision) - m.light_log),
            ('temperature', NULL, r.temperature::double precision - m.temperature)
        ) AS each (field, slot, residual)
        WHERE each.residual IS NOT NULL
    ), series AS MATERIALIZED (
        SELECT plot, field, array_agg(residual ORDER BY moment) AS residuals, array_agg(moment ORDER BY moment) AS moments
        FROM residuals GROUP BY plot, field, slot
    ), found AS MATERIALIZED ( -- once for each series, not for each reading
        SELECT plot, field, moments[place]::date AS date, moments[place]::time AS time, z
        FROM series CROSS JOIN LATERAL find_outliers(residuals)
        WHERE moments[place]::date BETWEEN first AND last
    )
    SELECT of_lab, f.plot, f.field, f.date, f.time,
        CASE f.field WHEN 'humidity' THEN r.humidity WHEN 'light' THEN r.light ELSE r.temperature END,
        CASE f.field WHEN 'humidity' THEN m.humidity WHEN 'light' THEN m.light ELSE m.temperature END, f.z
    FROM found AS f JOIN readings AS r USING (date, time, plot) JOIN medians AS m USING (date, time);
END $$;

-- Which records were changed since the outliers and drifts of their lab were last kept (see qa_refresh), marks of values
-- included; a date of NULL: all of that lab. The audit knows, so no save has to note it.
CREATE OR REPLACE VIEW changed_since_kept AS
    SELECT lab, date, "time", plot
    FROM (
        SELECT k.lab_id AS lab, (each.content ->> 'date')::date AS date, (each.content ->> 'time')::time AS "time",
            (each.content ->> 'plot')::smallint AS plot
        FROM kept_until AS k
        JOIN audit AS a ON a.lab_id = k.lab_id AND a.sequence > k.sequence
        CROSS JOIN LATERAL (VALUES (a.old), (a.new)) AS each (content)
        WHERE a.table_name IN ('plot_checks', 'value_marks') AND each.content IS NOT NULL
        UNION ALL
        SELECT id AS lab, NULL::date AS date, NULL::time AS "time", NULL::smallint AS plot FROM labs
        WHERE NOT EXISTS (SELECT FROM kept_until WHERE kept_until.lab_id = labs.id)
            AND EXISTS (SELECT FROM plot_checks WHERE plot_checks.lab_id = labs.id)
    ) AS changed
    WHERE (SELECT seen_labs(current_user)) IS NULL OR lab = ANY ((SELECT seen_labs(current_user))::bpchar[]);

-- How far the 32 nearest readings of a plot reach before a time and after it: of light with `slot`, among those of that
-- time of day, else of humidity and temperature, each for itself, since QA may have excluded one of them for weeks. Without
-- settings of its own, so that the statement it stands in is planned with it.
CREATE OR REPLACE FUNCTION days_around(of_lab char(1), of_plot smallint, slot time, first date, last date)
RETURNS TABLE (earlier date, later date)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT least((
        SELECT min(near.date) FROM (
            SELECT r.date FROM plot_readings AS r
            WHERE r.lab = of_lab AND r.plot = of_plot AND r.date < first AND r.time = slot AND r.light IS NOT NULL
            ORDER BY r.date DESC, r.time DESC LIMIT 32
        ) AS near
    ), (
        SELECT min(near.date) FROM (
            SELECT r.date FROM plot_readings AS r
            WHERE r.lab = of_lab AND r.plot = of_plot AND r.date < first AND slot IS NULL AND r.humidity IS NOT NULL
            ORDER BY r.date DESC, r.time DESC LIMIT 32
        ) AS near
    ), (
        SELECT min(near.date) FROM (
            SELECT r.date FROM plot_readings AS r
            WHERE r.lab = of_lab AND r.plot = of_plot AND r.date < first AND slot IS NULL AND r.temperature IS NOT NULL
            ORDER BY r.date DESC, r.time DESC LIMIT 32
        ) AS near
    )), greatest((
        SELECT max(near.date) FROM (
            SELECT r.date FROM plot_readings AS r
            WHERE r.lab = of_lab AND r.plot = of_plot AND r.date > last AND r.time = slot AND r.light IS NOT NULL
            ORDER BY r.date, r.time LIMIT 32
        ) AS near
    ), (
        SELECT max(near.date) FROM (
            SELECT r.date FROM plot_readings AS r
            WHERE r.lab = of_lab AND r.plot = of_plot AND r.date > last AND slot IS NULL AND r.humidity IS NOT NULL
            ORDER BY r.date, r.time LIMIT 32
        ) AS near
    ), (
        SELECT max(near.date) FROM (
            SELECT r.date FROM plot_readings AS r
            WHERE r.lab = of_lab AND r.plot = of_plot AND r.date > last AND slot IS NULL AND r.temperature IS NOT NULL
            ORDER BY r.date, r.time LIMIT 32
        ) AS near
    ))
$$;

-- The days whose outliers that makes unsure, `first` to `last`, and which readings are needed to find them again: a
-- reading is among the 61 around those that are within 30 readings of its plot, for light within 30 of its time of day.
CREATE OR REPLACE FUNCTION days_to_judge()
RETURNS TABLE (lab char(1), first date, last date, from_date date, to_date date)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH changed AS MATERIALIZED (
        SELECT DISTINCT c.lab, c.date, c.time, c.plot FROM changed_since_kept AS c
    ), counted AS (
        SELECT lab, date, time, plot, count(*) FILTER (WHERE date - before > 60) OVER (PARTITION BY lab ORDER BY date)
            AS island
        FROM (SELECT *, lag(date) OVER (PARTITION BY lab ORDER BY date) AS before FROM changed) AS c
        WHERE date IS NOT NULL
    ), islands AS (
        SELECT lab, island, min(date) AS first, max(date) AS last FROM counted GROUP BY lab, island
    ), touched AS (
        SELECT i.lab, i.first, i.last, each.plot, slots.slot
        FROM islands AS i
        CROSS JOIN LATERAL (
            SELECT c.plot FROM counted AS c WHERE c.lab = i.lab AND c.island = i.island
            UNION
            SELECT r.plot FROM plot_readings AS r WHERE r.lab = i.lab AND r.date BETWEEN i.first AND i.last
        ) AS each
        CROSS JOIN LATERAL (
            SELECT c.time AS slot FROM counted AS c WHERE c.lab = i.lab AND c.island = i.island UNION SELECT NULL
        ) AS slots
    ), reached AS (
        SELECT t.lab, least(min(t.first), min(around.earlier)) AS first,
            greatest(max(t.last), max(around.later)) AS last
        FROM touched AS t
        CROSS JOIN LATERAL days_around(t.lab, t.plot, t.slot, t.first, t.last) AS around
        GROUP BY t.lab, t.first
    ), merged AS (
        SELECT lab, min(first) AS first, max(last) AS last
        FROM (
            SELECT *, count(*) FILTER (WHERE first > before) OVER (PARTITION BY lab ORDER BY first) AS island
            FROM (
                SELECT *, max(last) OVER (PARTITION BY lab ORDER BY first ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                    AS before
                FROM reached
            ) AS ordered
        ) AS overlapping
        GROUP BY lab, island
    )
    SELECT m.lab, m.first, m.last, least(m.first, min(around.earlier)), greatest(m.last, max(around.later))
    FROM merged AS m
    CROSS JOIN LATERAL (
        SELECT DISTINCT r.plot, s.slot FROM plot_readings AS r CROSS JOIN LATERAL (VALUES (r.time), (NULL)) AS s (slot)
        WHERE r.lab = m.lab AND r.date BETWEEN m.first AND m.last
    ) AS each
    CROSS JOIN LATERAL days_around(m.lab, each.plot, each.slot, m.first, m.last) AS around
    GROUP BY m.lab, m.first, m.last
    UNION ALL
    SELECT DISTINCT c.lab, '-infinity'::date, 'infinity'::date, '-infinity'::date, 'infinity'::date
    FROM changed AS c WHERE c.date IS NULL;
END $$;

-- Those that are kept, but of the days that later changes make unsure, and those found there now.
CREATE OR REPLACE FUNCTION reading_outliers(from_date date, to_date date)
RETURNS TABLE (
    date date, "time" time, lab char(1), plot smallint, field text, value numeric, median double precision,
    deviation double precision, z double precision, technician varchar
)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    from_day date := coalesce(from_date, '-infinity');
    to_day date := coalesce(to_date, 'infinity');
BEGIN
    RETURN QUERY
    WITH unsure AS MATERIALIZED (
        SELECT * FROM days_to_judge() AS d WHERE d.first <= to_day AND d.last >= from_day
    ), found AS MATERIALIZED ( -- else a plan may judge them again for each record
        SELECT k.lab_id AS lab, k.plot, k.field, k.date, k.time, k.value, k.median, k.z FROM kept_outliers AS k
        WHERE k.date BETWEEN from_day AND to_day
            AND NOT EXISTS (SELECT FROM unsure AS u WHERE u.lab = k.lab_id AND k.date BETWEEN u.first AND u.last)
        UNION ALL
        SELECT judged.* FROM unsure AS u
        CROSS JOIN LATERAL judge_readings(u.lab, greatest(u.first, from_day), least(u.last, to_day), u.from_date, u.to_date)
            AS judged
    )
    SELECT f.date, f.time, f.lab, f.plot, f.field, f.value, f.median, f.value::double precision - f.median, f.z,
        r.technician
    FROM found AS f JOIN plot_readings AS r USING (date, time, lab, plot)
    ORDER BY 1, 2, 3, 4, 5;
END $$;

CREATE OR REPLACE VIEW reading_outliers AS SELECT * FROM reading_outliers(NULL, NULL);

-- Whether a sensor drifts from those beside it: the daily mean of its residual (see reading_outliers) over the last 90
-- days of the lab, by Theil-Sen (limits after P. K. Sen, 1968) and Kendall's tau-b; EWMA (lambda 0.2, L 3) and CUSUM (k 0.5,
-- h 5) of NIST's handbook, 6.3.2.4 and 6.3.2.3, standardised by the first 60 of those days: since when they have been
-- outside of their limits without a break. Residuals are reckoned in 1/200, so that equal ones are equal.
CREATE OR REPLACE FUNCTION reckon_drift(from_date date, to_date date, of_labs char(1)[])
RETURNS TABLE (
    lab char(1), plot smallint, field text, days bigint, slope_per_day double precision, low double precision,
    high double precision, tau double precision, ewma_since date, cusum_since date
)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    lasts date[] := ARRAY(
        SELECT (
            SELECT max(r.date) FROM plot_readings AS r WHERE r.lab = each.lab
                AND r.date >= coalesce(from_date, '-infinity') AND r.date <= coalesce(to_date, 'infinity')
        ) FROM unnest(of_labs) WITH ORDINALITY AS each (lab, place) ORDER BY place
    );
    first_day date := (SELECT min(last) - 89 FROM unnest(lasts) AS last);
BEGIN
    RETURN QUERY
    WITH ends AS MATERIALIZED (
        SELECT * FROM unnest(of_labs, lasts) AS each (lab, last) WHERE last IS NOT NULL
    ), daily AS MATERIALIZED (
        SELECT r.lab, r.plot, each.field, r.date, min(ends.last) - 90 AS before,
            sum(each.residual) / count(*) / 200 AS x
        FROM plot_readings AS r
        JOIN check_means AS m USING (date, time, lab)
        JOIN ends USING (lab)
        CROSS JOIN LATERAL (VALUES
            ('humidity', round(200 * r.humidity::double precision) - round(200 * m.humidity_median)),
            ('light', round(200 * r.light::double precision) - round(200 * m.light_median)),
            ('temperature', round(200 * r.temperature::double precision) - round(200 * m.temperature_median))
        ) AS each (field, residual)
        WHERE NOT r.equipment_fault AND each.residual IS NOT NULL AND r.date > ends.last - 90 AND r.date <= ends.last
            AND r.date >= greatest(from_date, first_day) AND m.date >= greatest(from_date, first_day)
        GROUP BY r.lab, r.plot, each.field, r.date
    ), series AS (
        SELECT lab, plot, field, count(*)::integer AS days, array_agg(x ORDER BY date) AS xs,
            array_agg((date - before)::double precision ORDER BY date) AS ts
        FROM daily GROUP BY lab, plot, field
    ), slopes AS (
        SELECT lab, plot, field, days * (days - 1) / 2 AS pairs, ARRAY(
                SELECT (later.x - earlier.x) / (later.t - earlier.t)
                FROM unnest(xs, ts) WITH ORDINALITY AS earlier (x, t, place)
                CROSS JOIN LATERAL unnest(xs[place + 1:], ts[place + 1:]) AS later (x, t)
                ORDER BY 1
            ) AS slopes
        FROM series
    ), repeats AS (
        SELECT lab, plot, field, sum(times) AS days, sum(times * (times - 1) * (2 * times + 5)) AS correction
        FROM (SELECT lab, plot, field, x, count(*) AS times FROM daily GROUP BY lab, plot, field, x) AS equal
        GROUP BY lab, plot, field
    ), trends AS (
        SELECT r.lab, r.plot, r.field, r.days::bigint AS days, s.slopes, s.pairs,
            (s.pairs - s.falls - s.rest) / nullif(sqrt(s.pairs::double precision * (s.pairs - s.rest + s.falls)), 0) AS tau,
            1.959963984540054 * sqrt(((r.days * (r.days - 1) * (2 * r.days + 5) - r.correction) / 18)::double precision)
                AS reach
        FROM repeats AS r
        LEFT JOIN (
            SELECT *, width_bucket(0::double precision, slopes) AS rest,
                width_bucket(-1e-300::double precision, slopes) AS falls -- PostgreSQL 13 takes one type only
            FROM slopes
        ) AS s USING (lab, plot, field)
    ), scored AS (
        SELECT d.lab, d.plot, d.field, d.date, row_number() OVER in_order AS i,
            (d.x - base.mean) / base.deviation AS z
        FROM daily AS d
        JOIN (
            SELECT lab, plot, field, avg(x) AS mean, CASE WHEN max(x) > min(x) THEN stddev_samp(x) END AS deviation FROM daily
            WHERE date <= before + 60 GROUP BY lab, plot, field HAVING count(*) >= 10
        ) AS base USING (lab, plot, field)
        WINDOW in_order AS (PARTITION BY d.lab, d.plot, d.field ORDER BY d.date)
    ), summed AS (
        SELECT *, 0.8 ^ i * sum(0.2 * z * 0.8 ^ (-i)) OVER so_far AS ewma,
            sum(z - 0.5) OVER so_far AS rises, sum(-z - 0.5) OVER so_far AS falls
        FROM scored WINDOW so_far AS (PARTITION BY lab, plot, field ORDER BY date)
    ), watched AS (
        SELECT *, abs(ewma) > 3 * sqrt(0.2 / 1.8) AS ewma_out, greatest(
                rises - least(0, min(rises) OVER so_far), falls - least(0, min(falls) OVER so_far)
            ) > 5 AS cusum_out
        FROM summed WINDOW so_far AS (PARTITION BY lab, plot, field ORDER BY date)
    ), signals AS (
        SELECT lab, plot, field, min(date) FILTER (WHERE date > ewma_in) AS ewma_since,
            min(date) FILTER (WHERE date > cusum_in) AS cusum_since
        FROM (
            SELECT *, coalesce(max(date) FILTER (WHERE NOT ewma_out) OVER all_of_it, '-infinity') AS ewma_in,
                coalesce(max(date) FILTER (WHERE NOT cusum_out) OVER all_of_it, '-infinity') AS cusum_in
            FROM watched WHERE z IS NOT NULL WINDOW all_of_it AS (PARTITION BY lab, plot, field)
        ) AS ended
        GROUP BY lab, plot, field
    )
    SELECT lab, plot, field, t.days,
        CASE WHEN t.days >= 10 THEN (t.slopes[(t.pairs + 1) / 2] + t.slopes[t.pairs / 2 + 1]) / 2 END,
        CASE WHEN t.days >= 10 THEN t.slopes[greatest(round((t.pairs - t.reach) / 2)::integer, 1)] END,
        CASE WHEN t.days >= 10 THEN t.slopes[least(round((t.pairs + t.reach) / 2)::integer + 1, t.pairs)] END,
        CASE WHEN t.days >= 10 THEN t.tau END,
        CASE WHEN t.days >= 10 THEN ewma_since END, CASE WHEN t.days >= 10 THEN cusum_since END
    FROM trends AS t LEFT JOIN signals USING (lab, plot, field)
    ORDER BY CASE WHEN t.days >= 10 THEN abs(t.tau) END DESC NULLS LAST, 1, 2, 3;
END $$;

-- Those that are kept, and those of labs that were changed since.
CREATE OR REPLACE FUNCTION sensor_drift(from_date date, to_date date)
RETURNS TABLE (
    lab char(1), plot smallint, field text, days bigint, slope_per_day double precision, low double precision,
    high double precision, tau double precision, ewma_since date, cusum_since date
)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    anew char(1)[] := CASE WHEN num_nonnulls(from_date, to_date) = 0
        THEN ARRAY(SELECT DISTINCT c.lab FROM changed_since_kept AS c) END;
BEGIN
    RETURN QUERY
    SELECT * FROM (
        SELECT k.lab_id, k.plot, k.field, k.days, k.slope_per_day, k.low, k.high, k.tau, k.ewma_since, k.cusum_since
        FROM kept_drift AS k WHERE k.lab_id <> ALL (anew)
        UNION ALL
        SELECT * FROM reckon_drift(from_date, to_date, coalesce(anew, ARRAY(
            SELECT k.lab_id FROM kept_until AS k UNION SELECT c.lab FROM changed_since_kept AS c
        )))
    ) AS found
    ORDER BY abs(found.tau) DESC NULLS LAST, 1, 2, 3;
END $$;

CREATE OR REPLACE VIEW sensor_drift AS SELECT * FROM sensor_drift(NULL, NULL);

-- Keeps what was found out, of the labs that whoever calls it sees; done by one session at a time, and others needn't wait.
-- A save that comes meanwhile only makes its own days unsure again.
CREATE OR REPLACE FUNCTION qa_refresh() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    changed char(1)[];
    reached jsonb;
    each record;
BEGIN
    IF NOT has_table_privilege(asking_role(), 'kept_until', 'SELECT') THEN
        RAISE EXCEPTION 'This login doesn''t read the records.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    BEGIN
        LOCK TABLE kept_until IN SHARE ROW EXCLUSIVE MODE NOWAIT;
    EXCEPTION WHEN lock_not_available THEN
        RETURN;
    END;
    reached := (
        SELECT jsonb_object_agg(id, (SELECT max(sequence) FROM audit WHERE audit.lab_id = labs.id)) FROM labs
    );
    changed := ARRAY(SELECT DISTINCT lab FROM changed_since_kept);
    FOR each IN SELECT * FROM days_to_judge() LOOP
        DELETE FROM kept_outliers WHERE lab_id = each.lab AND date BETWEEN each.first AND each.last;
        INSERT INTO kept_outliers (lab_id, plot, field, date, time, value, median, z)
            SELECT * FROM judge_readings(each.lab, each.first, each.last, each.from_date, each.to_date);
    END LOOP;
    DELETE FROM kept_drift WHERE lab_id = ANY (changed);
    INSERT INTO kept_drift SELECT * FROM reckon_drift(NULL, NULL, changed);
    INSERT INTO kept_until (lab_id, sequence)
        SELECT lab, coalesce((reached ->> lab)::bigint, 0) FROM unnest(changed) AS lab
        ON CONFLICT (lab_id) DO UPDATE SET sequence = EXCLUDED.sequence, moment = clock_timestamp();
END $$;

-- All of it anew: after a load that went past the triggers, of which the audit knows nothing. For the owner.
CREATE OR REPLACE FUNCTION qa_rebuild() RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    LOCK TABLE kept_until IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM kept_until;
    DELETE FROM kept_outliers;
    DELETE FROM kept_drift;
    PERFORM qa_refresh();
END $$;

-- When each record was entered first, wherever it stood then, and how long after it was due. A record from before the
-- audit has no moment.
CREATE OR REPLACE VIEW entry_log AS
    WITH made AS (
        -- The hash first: numbers are sorted much faster than keys.
        SELECT DISTINCT ON (jsonb_hash(key), key) jsonb_hash(key) AS hash, lab_id, sequence, key, moment, typed,
            workstation, application_user
        FROM audit
        WHERE table_name = 'plot_checks' AND operation = 'INSERT'
        ORDER BY jsonb_hash(key), key, sequence DESC
    ), brought AS MATERIALIZED ( -- once, and not for each record
        SELECT again.lab_id, again.sequence, first.moment, first.typed, first.workstation, first.application_user
        FROM audit AS again
        CROSS JOIN LATERAL (
            WITH RECURSIVE back AS (
                SELECT again.lab_id, again.sequence, again.key, again.moment, again.transaction, again.new, again.workstation,
                    again.application_user, again.typed, 0 AS step
                UNION ALL
                SELECT earlier.*, step + 1
                FROM back
                CROSS JOIN LATERAL (
                    SELECT * FROM (
                        SELECT d.lab_id, d.sequence, d.key FROM audit AS d
                        WHERE d.lab_id = back.lab_id AND d.sequence = back.sequence - 1 AND d.transaction = back.transaction
                            AND d.table_name = 'plot_checks' AND d.operation = 'DELETE' AND d.key <> back.key
                            AND back.new @> (d.old - ARRAY['date', 'time', 'lab_id', 'plot', 'version'])
                        UNION ALL
                        SELECT d.lab_id, d.sequence, d.key FROM audit AS d
                        WHERE d.moment >= back.moment - interval '1 minute' AND d.moment <= back.moment
                            AND d.transaction = back.transaction AND d.lab_id <> back.lab_id
                            AND d.table_name = 'plot_checks' AND d.operation = 'DELETE'
                            AND back.new @> (d.old - ARRAY['date', 'time', 'lab_id', 'plot', 'version'])
                        UNION ALL
                        (
                            SELECT d.lab_id, d.sequence, d.key FROM audit AS d
                            WHERE d.key = back.key AND d.table_name = 'plot_checks' AND d.operation = 'DELETE'
                                AND d.lab_id = back.lab_id AND d.sequence < back.sequence
                                AND back.new @> (d.old - ARRAY['date', 'time', 'lab_id', 'plot', 'version'])
                            ORDER BY d.sequence DESC LIMIT 1
                        )
                    ) AS ways LIMIT 1
                ) AS taken
                CROSS JOIN LATERAL (
                    SELECT a.lab_id, a.sequence, a.key, a.moment, a.transaction, a.new, a.workstation, a.application_user,
                        a.typed
                    FROM audit AS a
                    WHERE a.key = taken.key AND a.table_name = 'plot_checks' AND a.operation = 'INSERT'
                        AND a.lab_id = taken.lab_id AND a.sequence < taken.sequence
                    ORDER BY a.sequence DESC LIMIT 1
                ) AS earlier
                WHERE step < 100
            )
            SELECT moment, typed, workstation, application_user FROM back ORDER BY step DESC LIMIT 1
        ) AS first
        WHERE again.table_name = 'plot_checks' AND again.operation = 'INSERT' AND again.reason IS NOT NULL
    )
    SELECT r.date, r.time, r.lab_id AS lab, r.plot, t.name AS technician, entry.moment AS entered,
        coalesce(entry.typed, entry.moment) AS typed, extract(epoch FROM coalesce(entry.typed, entry.moment)
            - (r.date + r.time) AT TIME ZONE (SELECT time_zone FROM lab_settings))::double precision / 60 AS minutes_late,
        CASE WHEN entry.typed IS NOT NULL THEN true
            WHEN entry.moment >= (SELECT min(applied) - interval '1 second' FROM schema_version WHERE version >= 5) THEN false
            END AS offline, entry.workstation, entry.application_user
    FROM plot_checks AS r
    LEFT JOIN lab_techs AS t ON t.id = r.lab_tech_id
    CROSS JOIN LATERAL (
        SELECT jsonb_build_object('date', r.date, 'time', r.time, 'lab_id', r.lab_id, 'plot', r.plot) AS key OFFSET 0
    ) AS place
    LEFT JOIN made ON made.hash = jsonb_hash(place.key) AND made.key = place.key
    LEFT JOIN brought ON brought.lab_id = made.lab_id AND brought.sequence = made.sequence
    CROSS JOIN LATERAL (
        SELECT coalesce(brought.moment, made.moment) AS moment,
            CASE WHEN brought.moment IS NULL THEN made.typed ELSE brought.typed END AS typed,
            CASE WHEN brought.moment IS NULL THEN made.workstation ELSE brought.workstation END AS workstation,
            CASE WHEN brought.moment IS NULL THEN made.application_user ELSE brought.application_user END
                AS application_user
    ) AS entry
    WHERE (SELECT seen_labs(current_user)) IS NULL OR r.lab_id = ANY ((SELECT seen_labs(current_user))::bpchar[]);

-- All of it first: for some dates few rows may be expected, and then all entries would be gone through for each of them.
CREATE OR REPLACE FUNCTION entry_log(from_date date, to_date date) RETURNS SETOF entry_log
LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT SET jit = off AS $$
    SELECT * FROM (SELECT * FROM entry_log OFFSET 0) AS log
    WHERE date >= coalesce(from_date, '-infinity') AND date <= coalesce(to_date, 'infinity')
$$;

-- A new view for QA comes here: see docs/architecture.md.

-- ------------------------------------------------------------------------------------------------- who may do what
-- Three roles to be given to people's logins: GRANT abq_technician TO jsimms. They belong to the whole server. Who may
-- not make roles leaves them to an administrator, who applies this file once more.

-- Nobody removes a record or changes its place but by the functions for that: whoever may correct records may change the
-- other columns, whatever somebody granted.
CREATE OR REPLACE FUNCTION correctable_columns(name text) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = name::regclass AND attnum > 0 AND NOT attisdropped
        AND attname NOT IN ('date', 'time', 'lab_id', 'plot', 'version')
$$;

DO $$
DECLARE
    right_of record;
BEGIN
    FOR right_of IN
        SELECT relname, grantee AS id, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee,
            bool_or(privilege_type = 'UPDATE') AS corrects
        FROM pg_class, aclexplode(relacl)
        WHERE pg_class.oid IN ('plot_checks'::regclass, 'lab_checks'::regclass, 'local_weather'::regclass)
            AND grantee <> relowner AND privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE')
        GROUP BY relname, grantee
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %I FROM %s CASCADE', right_of.relname, right_of.grantee);
        IF right_of.corrects AND right_of.grantee NOT IN ('abq_technician', 'abq_supervisor', 'abq_qa') THEN
            EXECUTE format('GRANT UPDATE (%s) ON %I TO %s',
                correctable_columns(right_of.relname), right_of.relname, right_of.grantee);
        END IF;
    END LOOP;
    FOR right_of IN
        SELECT relname, attname, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid, aclexplode(attacl)
        WHERE pg_class.oid IN ('plot_checks'::regclass, 'lab_checks'::regclass) AND grantee <> relowner
            AND privilege_type = 'UPDATE' AND attname IN ('date', 'time', 'lab_id', 'plot', 'version')
    LOOP
        EXECUTE format('REVOKE UPDATE (%I) ON %I FROM %s CASCADE', right_of.attname, right_of.relname, right_of.grantee);
    END LOOP;
END $$;

DO $$
DECLARE
    role text;
BEGIN
    IF (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) THEN
        FOREACH role IN ARRAY ARRAY['abq_technician', 'abq_supervisor', 'abq_qa'] LOOP
            CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = role);
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- somebody was quicker, in another database
            END;
        END LOOP;
    END IF;
    FOREACH role IN ARRAY ARRAY['abq_technician', 'abq_supervisor', 'abq_qa'] LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role);
        EXECUTE format(
            'GRANT SELECT ON schema_version, lab_techs, labs, plots, lab_checks, plot_checks, local_weather, deliveries,'
            ' data_record_view, withdrawn_records, audit, audit_heads, audit_baselines, check_presence, check_presence_view,'
            ' journal_entries, lab_members, technician_logins TO %I', role);
        EXECUTE format('GRANT SELECT ON lab_settings, value_marks, shift_notes TO %I', role);
        EXECUTE format('GRANT SELECT ON shift_messages, shift_message_readers TO %I', role);
        EXECUTE format('GRANT SELECT ON notice_sources, notices, notice_readers TO %I', role);
        EXECUTE format('GRANT SELECT ON destinations, scheduled_deliveries TO %I', role);
        EXECUTE format('GRANT SELECT ON delivery_receipts, mailbox_messages TO %I', role);
        EXECUTE format('GRANT SELECT ON alarm_calendar, alarm_receivers, alarms, alarm_notices TO %I', role);
        CONTINUE WHEN role = 'abq_qa';
        EXECUTE format('GRANT INSERT ON lab_checks, plot_checks TO %I', role);
        EXECUTE format('GRANT INSERT ON deliveries TO %I', role); -- what became of them: see record_deliveries
        EXECUTE format('GRANT UPDATE (%s) ON plot_checks TO %I', correctable_columns('plot_checks'), role);
        EXECUTE format('GRANT UPDATE (%s) ON lab_checks TO %I', correctable_columns('lab_checks'), role);
        EXECUTE format('GRANT INSERT ON local_weather TO %I', role);
        EXECUTE format('GRANT INSERT (id) ON journal_entries TO %I', role);
        -- Only what is empty, see keep_observation. By columns: who may change a whole table can lock it for all others.
        EXECUTE format('GRANT UPDATE (%s) ON local_weather TO %I', correctable_columns('local_weather'), role);
        CONTINUE WHEN role = 'abq_technician';
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON lab_techs, labs, plots TO %I', role);
    END LOOP;
END $$;

-- Rights that lead past the audit are taken back from everybody, whatever somebody granted or default privileges did:
-- to write to it, to write where a function does so, and to have triggers on our tables, which others' saves and the
-- functions of the owner would run. Where everybody was given a right by default, nobody makes oneself a lab's member.
DO $$
DECLARE
    right_of record;
BEGIN
    FOR right_of IN
        SELECT relname, privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee
        FROM pg_class, aclexplode(relacl)
        WHERE relnamespace = current_schema()::regnamespace AND grantee <> relowner AND privilege_type <> 'SELECT'
            AND (relname = ANY (qa_views()) OR relname IN (
                'schema_version', 'lab_techs', 'labs', 'plots', 'lab_checks', 'plot_checks', 'local_weather',
                'deliveries', 'audit', 'audit_heads', 'audit_baselines', 'lab_members', 'technician_logins',
                'check_presence', 'journal_entries', 'data_record_view', 'withdrawn_records', 'check_presence_view',
                'lab_settings', 'value_marks', 'shift_notes', 'kept_until', 'kept_outliers', 'kept_drift',
                'destinations', 'scheduled_deliveries', 'notices', 'notice_sources', 'notice_readers',
                    'shift_messages', 'shift_message_readers',
                'delivery_receipts', 'mailbox_messages', 'alarm_calendar', 'alarm_receivers', 'alarms', 'alarm_notices'
            ))
            AND (
                privilege_type NOT IN ('INSERT', 'UPDATE', 'DELETE')
                OR relkind = 'v'
                OR relname IN ('schema_version', 'audit', 'audit_heads', 'audit_baselines', 'check_presence',
                    'journal_entries', 'lab_settings', 'value_marks', 'shift_notes', 'kept_until', 'kept_outliers',
                    'kept_drift', 'scheduled_deliveries', 'notices', 'notice_sources', 'notice_readers',
                    'shift_messages', 'shift_message_readers',
                    'delivery_receipts', 'mailbox_messages', 'alarms', 'alarm_notices')
                OR relname = 'deliveries' AND privilege_type <> 'INSERT'
                OR relname IN ('lab_members', 'technician_logins', 'destinations', 'alarm_calendar', 'alarm_receivers')
                    AND (grantee = 0 OR grantee::regrole::text IN ('abq_technician', 'abq_supervisor', 'abq_qa'))
            )
    LOOP
        EXECUTE format('REVOKE %s ON %I FROM %s CASCADE', right_of.privilege_type, right_of.relname, right_of.grantee);
        IF right_of.relname = 'journal_entries' AND right_of.privilege_type = 'INSERT' THEN -- the number, not the moment
            EXECUTE format('GRANT INSERT (id) ON journal_entries TO %s', right_of.grantee);
        END IF;
    END LOOP;
    FOR right_of IN
        SELECT relname, attname, privilege_type,
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid, aclexplode(attacl)
        WHERE relnamespace = current_schema()::regnamespace AND grantee <> relowner AND privilege_type <> 'SELECT'
            AND (
                relname IN ('schema_version', 'audit', 'audit_heads', 'audit_baselines', 'check_presence',
                    'data_record_view', 'withdrawn_records', 'check_presence_view', 'lab_settings', 'value_marks',
                    'shift_notes', 'kept_until', 'kept_outliers', 'kept_drift', 'scheduled_deliveries', 'notices', 'notice_sources', 'notice_readers',
                    'shift_messages',
                    'shift_message_readers', 'delivery_receipts', 'mailbox_messages', 'alarms', 'alarm_notices')
                OR relname = ANY (qa_views())
                OR relname IN ('deliveries', 'journal_entries') AND privilege_type = 'UPDATE'
                OR relname IN ('lab_techs', 'labs', 'plots', 'lab_checks', 'plot_checks')
                    AND privilege_type = 'REFERENCES'
            )
    LOOP
        EXECUTE format('REVOKE %s (%I) ON %I FROM %s CASCADE',
            right_of.privilege_type, right_of.attname, right_of.relname, right_of.grantee);
    END LOOP;
END $$;

-- Who could enter records before version 3 has what entering them needs now.
DO $$
DECLARE
    right_of record;
BEGIN
    IF NOT EXISTS (SELECT FROM schema_version) OR EXISTS (SELECT FROM schema_version WHERE version >= 3) THEN
        RETURN;
    END IF;
    FOR right_of IN
        SELECT privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee
        FROM pg_class, aclexplode(relacl)
        WHERE pg_class.oid = 'plot_checks'::regclass AND grantee <> relowner
            AND privilege_type IN ('SELECT', 'INSERT')
    LOOP
        IF right_of.privilege_type = 'SELECT' THEN
            EXECUTE format('GRANT SELECT ON audit, audit_heads, check_presence, check_presence_view, journal_entries'
                ' TO %s', right_of.grantee);
        ELSE
            EXECUTE format('GRANT INSERT (id) ON journal_entries TO %s', right_of.grantee);
        END IF;
    END LOOP;
END $$;

-- Who may read the records may read those that were withdrawn.
DO $$
DECLARE
    grantee text;
BEGIN
    IF NOT EXISTS (SELECT FROM schema_version) OR EXISTS (SELECT FROM schema_version WHERE version >= 4) THEN
        RETURN;
    END IF;
    FOR grantee IN
        SELECT CASE right_of.grantee WHEN 0 THEN 'PUBLIC' ELSE right_of.grantee::regrole::text END
        FROM pg_class, aclexplode(relacl) AS right_of
        WHERE pg_class.oid = 'plot_checks'::regclass AND right_of.grantee <> relowner AND privilege_type = 'SELECT'
            AND right_of.grantee::regrole::text NOT IN ('abq_technician', 'abq_supervisor', 'abq_qa')
    LOOP
        EXECUTE format('GRANT SELECT ON withdrawn_records, technician_logins, audit_baselines TO %s', grantee);
    END LOOP;
END $$;

-- Who may read the records may read what is made of them.
DO $$
DECLARE
    grantee text;
BEGIN
    FOR grantee IN
        SELECT rolname FROM pg_roles WHERE rolname IN ('abq_technician', 'abq_supervisor', 'abq_qa')
        UNION
        SELECT CASE right_of.grantee WHEN 0 THEN 'PUBLIC' ELSE right_of.grantee::regrole::text END
        FROM pg_class, aclexplode(relacl) AS right_of
        WHERE pg_class.oid = 'data_record_view'::regclass AND right_of.grantee <> relowner AND privilege_type = 'SELECT'
            AND NOT EXISTS (SELECT FROM schema_version WHERE version >= 5)
    LOOP
        EXECUTE format('GRANT SELECT ON value_marks, shift_notes, kept_until, kept_outliers, kept_drift, %s TO %s',
            array_to_string(qa_views(), ', '), grantee);
    END LOOP;
END $$;

-- Who could read the records, or read and record deliveries, before a version reads the tables that it brought: where
-- deliveries go (6), what people tell each other (7), what was answered, the alarms, the company's notices (8).
DO $$
DECLARE
    each record;
    grantee text;
BEGIN
    IF NOT EXISTS (SELECT FROM schema_version) THEN
        RETURN;
    END IF;
    FOR each IN
        SELECT * FROM (VALUES
            (6, 'deliveries', 'INSERT', 'destinations, scheduled_deliveries'),
            (7, 'plot_checks', 'SELECT', 'shift_messages, shift_message_readers'),
            (8, 'deliveries', 'INSERT', 'delivery_receipts, mailbox_messages'),
            (8, 'plot_checks', 'SELECT', 'alarm_calendar, alarm_receivers, alarms, alarm_notices'),
            (8, 'plot_checks', 'SELECT', 'notice_sources, notices, notice_readers')
        ) AS brought (version, known, privilege, tables)
        WHERE NOT EXISTS (SELECT FROM schema_version AS made WHERE made.version >= brought.version)
    LOOP
        FOR grantee IN
            SELECT DISTINCT CASE right_of.grantee WHEN 0 THEN 'PUBLIC' ELSE right_of.grantee::regrole::text END
            FROM pg_class, aclexplode(relacl) AS right_of
            WHERE pg_class.oid = each.known::regclass AND right_of.grantee <> relowner
                AND privilege_type = each.privilege
        LOOP
            EXECUTE format('GRANT SELECT ON %s TO %s', each.tables, grantee);
        END LOOP;
    END LOOP;
END $$;

-- ------------------------------------------------------------------------------------------------- labs kept apart
-- For laboratories that want it: SELECT restrict_labs(true), as the owner. From then on a login sees, enters and
-- corrects only what belongs to a lab of its own (lab_members). SELECT restrict_labs(false) ends it.

CREATE OR REPLACE FUNCTION restrict_labs(wanted boolean) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    each record;
BEGIN
    -- What this transaction has changed, such as lab_members, is in the audit first: its table can't be altered before.
    SET CONSTRAINTS keep_head IMMEDIATE;
    FOR each IN
        SELECT name, CASE name WHEN 'labs' THEN 'id' ELSE 'lab_id' END AS lab
        FROM unnest(ARRAY[
            'labs', 'lab_members', 'plots', 'lab_checks', 'plot_checks', 'audit', 'audit_heads', 'audit_baselines',
            'check_presence', 'value_marks', 'shift_notes', 'kept_until', 'kept_outliers', 'kept_drift',
            'shift_messages', 'shift_message_readers', 'alarm_calendar', 'alarms'
        ]) AS name
    LOOP
        EXECUTE format('DROP POLICY IF EXISTS own_labs ON %I', each.name);
        EXECUTE format('ALTER TABLE %I %s ROW LEVEL SECURITY', each.name,
            CASE WHEN wanted THEN 'ENABLE' ELSE 'DISABLE' END);
        CONTINUE WHEN NOT wanted;
        -- What belongs to no lab is seen by all; where an older database has a lab of that letter, its records are not.
        EXECUTE format('CREATE POLICY own_labs ON %I USING ((SELECT seen_labs(current_user)) IS NULL'
            ' OR %I = ANY ((SELECT seen_labs(current_user))::bpchar[])%s)', each.name, each.lab,
            CASE WHEN each.name LIKE 'audit%' THEN ' OR lab_id = ''-''' || CASE each.name WHEN 'audit' THEN
                format(' AND table_name <> ALL (%L::text[])', tables_of_labs()) ELSE '' END
                WHEN each.name LIKE 'shift_message%' OR each.name = 'alarms' THEN ' OR lab_id IS NULL' ELSE '' END);
    END LOOP;
    -- Where the audit of all labs stood when an extract was made, only who sees all labs may read.
    FOR each IN
        SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee
        FROM pg_class LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'id',
            aclexplode(CASE WHEN wanted THEN relacl ELSE attacl END)
        WHERE pg_class.oid = 'deliveries'::regclass AND privilege_type = 'SELECT' AND grantee <> relowner
            AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'abq_qa' AND grantee <> 0
                AND pg_has_role(grantee, pg_roles.oid, 'USAGE'))
    LOOP
        IF wanted THEN
            EXECUTE format('REVOKE SELECT ON deliveries FROM %1$s CASCADE; GRANT SELECT (%2$s) ON deliveries TO %1$s',
                each.grantee, (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
                    WHERE attrelid = 'deliveries'::regclass AND attnum > 0 AND NOT attisdropped
                        AND attname <> 'audit_head'));
        ELSE
            EXECUTE format('GRANT SELECT ON deliveries TO %s', each.grantee);
        END IF;
    END LOOP;
    -- A function in somebody's condition must not see the rows that the view leaves out.
    EXECUTE format('ALTER VIEW data_record_view SET (security_barrier = %s)', wanted);
    EXECUTE format('ALTER VIEW withdrawn_records SET (security_barrier = %s)', wanted);
    EXECUTE format('ALTER VIEW check_presence_view SET (security_barrier = %s)', wanted);
    EXECUTE format('ALTER VIEW plot_readings SET (security_barrier = %s)', wanted);
    EXECUTE format('ALTER VIEW completeness SET (security_barrier = %s)', wanted);
    EXECUTE format('ALTER VIEW changes SET (security_barrier = %s)', wanted);
    EXECUTE format('ALTER VIEW entry_log SET (security_barrier = %s)', wanted);
    EXECUTE format('ALTER VIEW changed_since_kept SET (security_barrier = %s)', wanted);
    SET CONSTRAINTS keep_head DEFERRED;
END $$;

DO $$
BEGIN
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = 'plot_checks'::regclass) THEN
        PERFORM restrict_labs(true);
    END IF;
END $$;

-- ------------------------------------------------------------------------------------------------- who may call what
-- Functions of triggers, which the server calls by itself, and those that others of ours call with the rights of the
-- owner are nobody's. The others are for whoever may correct, enter or read records, or record deliveries, or for QA, who
-- marks them. Those in no list only read, with the rights of whoever calls them; seen_labs, which views and policies ask for
-- whoever reads there, hides_entries, and lock_lab and qa_refresh, which look themselves who may, stay everybody's.
DO $$
DECLARE
    each record;
    grantee text;
BEGIN
    FOR each IN
        SELECT pg_proc.oid::regprocedure AS called, coalesce(whom, 'nobody') AS whom
        FROM pg_proc JOIN pg_class ON pg_class.oid = 'plot_checks'::regclass AND relowner = proowner
        LEFT JOIN (VALUES
            ('withdraw_record', 'correcting'), ('bring_back_record', 'correcting'), ('move_record', 'correcting'),
            ('move_check', 'correcting'), ('take_back', 'correcting'), ('take_back_records', 'correcting'),
            ('correct_records', 'correcting'),
            ('record_deliveries', 'delivering'), ('take_delivery', 'delivering'), ('note_delivery', 'delivering'),
            ('keep_answers', 'delivering'), ('settle_receipts', 'delivering'),
            ('mark_value', 'marking'), ('close_mark', 'marking'), ('reopen_mark', 'marking'),
            ('answer_mark', 'entering'), ('hold_mark', 'nobody'),
            ('write_note', 'entering'), ('finish_note', 'entering'), ('reopen_note', 'entering'),
            ('hold_note', 'nobody'), ('send_message', 'entering'), ('take_messages', 'entering'),
            ('ask_for_notices', 'entering'), ('keep_notices', 'entering'), ('read_notices', 'entering'),
            ('enter_check', 'entering'), ('claim_plot', 'entering'), ('claim_next_plot', 'entering'),
            ('leave_check', 'entering'), ('is_claimed', 'nobody'),
            ('look_for_alarms', 'reading'), ('tell_alarms', 'reading'), ('end_alarm', 'reading'),
            ('take_notice', 'reading'), ('note_notice', 'reading'), ('raise_alarm', 'nobody'), ('alarm_held', 'nobody'),
            ('alarm_is_over', 'nobody'),
            ('names_entry', 'nobody'), ('may_hold_lab', 'nobody'),
            ('last_version', 'nobody'), ('require_own_table', 'nobody'), ('set_reason', 'nobody'),
            ('begin_undo', 'nobody'), ('hold_record', 'nobody'), ('require_free', 'nobody'), ('require_right', 'nobody'),
            ('ensure_check', 'nobody'), ('drop_empty_check', 'nobody'), ('restrict_labs', 'nobody'),
            ('qa_rebuild', 'nobody')
        ) AS known (name, whom) ON name = proname
        WHERE pronamespace = current_schema()::regnamespace AND (whom IS NOT NULL OR prorettype = 'trigger'::regtype)
    LOOP
        FOR grantee IN
            SELECT CASE right_of.grantee WHEN 0 THEN 'PUBLIC' ELSE right_of.grantee::regrole::text END
            FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS right_of
            WHERE oid = each.called AND right_of.grantee <> proowner AND (each.whom = 'nobody' OR right_of.grantee = 0)
        LOOP
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s CASCADE', each.called, grantee);
        END LOOP;
        CONTINUE WHEN each.whom = 'nobody';
        FOR grantee IN
            SELECT CASE right_of.grantee WHEN 0 THEN 'PUBLIC' ELSE right_of.grantee::regrole::text END
            FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid, aclexplode(attacl) AS right_of
            WHERE each.whom = 'correcting' AND pg_class.oid = 'plot_checks'::regclass AND attname = 'lab_tech_id'
                AND privilege_type = 'UPDATE' AND right_of.grantee <> relowner
            UNION
            SELECT rolname FROM pg_roles WHERE each.whom = 'marking' AND rolname = 'abq_qa'
            UNION
            SELECT CASE right_of.grantee WHEN 0 THEN 'PUBLIC' ELSE right_of.grantee::regrole::text END
            FROM pg_class, aclexplode(relacl) AS right_of
            WHERE each.whom = 'reading' AND pg_class.oid = 'plot_checks'::regclass AND privilege_type = 'SELECT'
                AND right_of.grantee <> relowner
            UNION
            SELECT CASE right_of.grantee WHEN 0 THEN 'PUBLIC' ELSE right_of.grantee::regrole::text END
            FROM pg_class, aclexplode(relacl) AS right_of
            WHERE privilege_type = 'INSERT' AND right_of.grantee <> relowner AND pg_class.oid = CASE each.whom
                WHEN 'delivering' THEN 'deliveries'::regclass WHEN 'entering' THEN 'plot_checks'::regclass END
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', each.called, grantee);
        END LOOP;
    END LOOP;
END $$;

COMMENT ON TABLE lab_techs IS 'Technicians who take readings.';
COMMENT ON COLUMN lab_techs.id IS 'Number of the technician, as on the badge.';
COMMENT ON COLUMN lab_techs.name IS 'Name, as the form and the extract show it.';
COMMENT ON COLUMN lab_techs.retired IS 'Since when the name isn''t offered for new records; NULL: it is.';

COMMENT ON TABLE labs IS 'Laboratories.';
COMMENT ON COLUMN labs.id IS 'Letter of the laboratory.';
COMMENT ON COLUMN labs.retired IS 'Since when nothing is recorded there any more; NULL: it is.';

COMMENT ON TABLE plots IS 'Plots of each laboratory.';
COMMENT ON COLUMN plots.lab_id IS 'Letter of the laboratory.';
COMMENT ON COLUMN plots.plot IS 'Number of the plot within its laboratory, 1 to 20.';
COMMENT ON COLUMN plots.current_seed_sample IS 'The seed sample that grows in the plot now; the form fills it in.';
COMMENT ON COLUMN plots.retired IS 'Since when nothing is recorded there any more; NULL: it is.';

COMMENT ON TABLE lab_checks IS 'Checks: one laboratory at one of the four times of a day.';
COMMENT ON COLUMN lab_checks.date IS 'Day of the check, by the clock of the laboratory.';
COMMENT ON COLUMN lab_checks.time IS '8:00, 12:00, 16:00 or 20:00, by the clock of the laboratory.';
COMMENT ON COLUMN lab_checks.lab_id IS 'Letter of the laboratory.';
COMMENT ON COLUMN lab_checks.lab_tech_id IS 'Who did the check.';

COMMENT ON TABLE plot_checks IS 'Records: the readings of one plot at one check.';
COMMENT ON COLUMN plot_checks.date IS 'Day of the check, by the clock of the laboratory.';
COMMENT ON COLUMN plot_checks.time IS '8:00, 12:00, 16:00 or 20:00, by the clock of the laboratory.';
COMMENT ON COLUMN plot_checks.lab_id IS 'Letter of the laboratory.';
COMMENT ON COLUMN plot_checks.plot IS 'Number of the plot within its laboratory, 1 to 20.';
COMMENT ON COLUMN plot_checks.seed_sample IS 'The seed sample that grew in the plot, 6 characters.';
COMMENT ON COLUMN plot_checks.humidity IS 'Absolute humidity in g/m³, 0.5 to 52.0; empty after an equipment fault.';
COMMENT ON COLUMN plot_checks.light IS 'Light in klx, 0 to 100; empty after an equipment fault.';
COMMENT ON COLUMN plot_checks.temperature IS 'Temperature in °C, 4 to 40; empty after an equipment fault.';
COMMENT ON COLUMN plot_checks.equipment_fault IS 'The sensors failed: humidity, light and temperature are empty.';
COMMENT ON COLUMN plot_checks.blossoms IS 'Number of blossoms, 0 to 1000.';
COMMENT ON COLUMN plot_checks.plants IS 'Number of plants, 0 to 20.';
COMMENT ON COLUMN plot_checks.fruit IS 'Number of fruit, 0 to 1000.';
COMMENT ON COLUMN plot_checks.max_height IS 'Height of the tallest plant in cm, 0 to 1000.';
COMMENT ON COLUMN plot_checks.min_height IS 'Height of the smallest plant in cm, 0 to 1000.';
COMMENT ON COLUMN plot_checks.median_height IS 'Median height in cm, between the two others.';
COMMENT ON COLUMN plot_checks.notes IS 'Free text.';
COMMENT ON COLUMN plot_checks.lab_tech_id IS 'Who recorded this plot; the technician of the check unless told otherwise.';

COMMENT ON TABLE local_weather IS 'Observations of the weather station nearest to the laboratories.';
COMMENT ON COLUMN local_weather.datetime IS 'Moment of the observation.';
COMMENT ON COLUMN local_weather.temperature IS 'Temperature in °C.';
COMMENT ON COLUMN local_weather.rel_hum IS 'Relative humidity in %.';
COMMENT ON COLUMN local_weather.pressure IS 'Air pressure reduced to sea level, in mb (hPa).';
COMMENT ON COLUMN local_weather.conditions IS 'The weather in the words of the weather service.';
COMMENT ON COLUMN local_weather.station IS 'The station that observed it, such as KBMG; empty in rows from before version 4.';
COMMENT ON COLUMN local_weather.source IS 'Where it was fetched, such as nws_xml.';
COMMENT ON COLUMN local_weather.kind IS 'observed by a station, or computed by a model.';
COMMENT ON COLUMN local_weather.fetched IS 'When it was fetched first.';
COMMENT ON COLUMN local_weather.quality IS 'Which values could not be used or were rounded, in words; empty if none.';

COMMENT ON VIEW data_record_view IS 'One row a record, with the columns of the daily extract.';
COMMENT ON COLUMN data_record_view."Date" IS 'Day of the check, by the clock of the laboratory.';
COMMENT ON COLUMN data_record_view."Time" IS 'Text such as 8:00. To sort by time, use "Time"::time.';
COMMENT ON COLUMN data_record_view."Technician" IS 'Who recorded this plot.';
COMMENT ON COLUMN data_record_view."Lab" IS 'Letter of the laboratory.';
COMMENT ON COLUMN data_record_view."Plot" IS 'Number of the plot within its laboratory, 1 to 20.';
COMMENT ON COLUMN data_record_view."Seed sample" IS 'The seed sample that grew in the plot, 6 characters.';
COMMENT ON COLUMN data_record_view."Humidity" IS 'Absolute humidity in g/m³; empty after an equipment fault.';
COMMENT ON COLUMN data_record_view."Light" IS 'Light in klx; empty after an equipment fault.';
COMMENT ON COLUMN data_record_view."Temperature" IS 'Temperature in °C; empty after an equipment fault.';
COMMENT ON COLUMN data_record_view."Equipment Fault" IS 'The sensors failed: humidity, light and temperature are empty.';
COMMENT ON COLUMN data_record_view."Plants" IS 'Number of plants.';
COMMENT ON COLUMN data_record_view."Blossoms" IS 'Number of blossoms.';
COMMENT ON COLUMN data_record_view."Fruit" IS 'Number of fruit.';
COMMENT ON COLUMN data_record_view."Min Height" IS 'Height of the smallest plant in cm.';
COMMENT ON COLUMN data_record_view."Max Height" IS 'Height of the tallest plant in cm.';
COMMENT ON COLUMN data_record_view."Median Height" IS 'Median height of the plants in cm.';
COMMENT ON COLUMN data_record_view."Notes" IS 'Free text.';

COMMENT ON TABLE deliveries IS 'Extracts that were to be sent, where to, and what became of them: one row a version.';
COMMENT ON COLUMN deliveries.id IS 'Number of the delivery; its first 8 characters stand in the list of deliveries.';
COMMENT ON COLUMN deliveries.created IS 'When the extract was made.';
COMMENT ON COLUMN deliveries.date IS 'The day whose records it holds.';
COMMENT ON COLUMN deliveries.file_name IS 'Name of the extract; abq_upload_name may call it otherwise at the destination.';
COMMENT ON COLUMN deliveries.version IS 'Counts the extracts of the same day for the same destination; a later one replaces.';
COMMENT ON COLUMN deliveries.destination IS 'rest, ftp, folder or webdav; sftp:archive for the destination archive.';
COMMENT ON COLUMN deliveries.address IS 'Where it was to go, without anything secret.';
COMMENT ON COLUMN deliveries.username IS 'Who logs in there.';
COMMENT ON COLUMN deliveries.size IS 'Size of the file in bytes.';
COMMENT ON COLUMN deliveries.sha256 IS 'SHA-256 of the file, in hexadecimal.';
COMMENT ON COLUMN deliveries.state IS 'waiting (for its next attempt), sending, delivered, failed (given up), cancelled, unknown (whether it arrived).';
COMMENT ON COLUMN deliveries.attempts IS 'How many times it was tried.';
COMMENT ON COLUMN deliveries.last_attempt IS 'When it was tried last.';
COMMENT ON COLUMN deliveries.delivered IS 'When it had arrived whole; empty unless it has.';
COMMENT ON COLUMN deliveries.reason IS 'Why it has not arrived, in words.';
COMMENT ON COLUMN deliveries.revision IS 'Counts the changes of this row, so that an older state never replaces a newer one.';

COMMENT ON COLUMN deliveries.audit_head IS 'Where the audit stood when the extract was made: a lab, a number and a hash each.';

COMMENT ON TABLE destinations IS 'Where extracts go besides the destinations in the settings of each workstation.';
COMMENT ON COLUMN destinations.name IS 'What it is called: small letters, digits, - and _.';
COMMENT ON COLUMN destinations.kind IS 'How files go there: one of destination_kinds().';
COMMENT ON COLUMN destinations.address IS 'rest, webdav, brapi, xmlrpc, s3: a URL; ftp, ftps, sftp: host or host:port; folder: a path.';
COMMENT ON COLUMN destinations.login_address IS 'rest, brapi: the URL of the login; empty: auth beside the address, token below it. sftp: the host to go through.';
COMMENT ON COLUMN destinations.folder IS 'The folder there; empty: where the login leads. brapi: the trial of the labs'' studies. xmlrpc: the method.';
COMMENT ON COLUMN destinations.file_name IS 'What a file is called there; {date} and {lab} are filled in.';
COMMENT ON COLUMN destinations.contents IS 'records (the day''s extract), or the view that is exported of the day.';
COMMENT ON COLUMN destinations.format IS 'csv; for a view also xlsx or parquet.';
COMMENT ON COLUMN destinations.schedule IS 'by hand, when a check is complete, or every day at a time of the labs.';
COMMENT ON COLUMN destinations.username IS 'Who logs in there; the password is not in the database.';
COMMENT ON COLUMN destinations.checksum IS 'Whether a file .sha256 goes with each file.';
COMMENT ON COLUMN destinations.login_method IS 'cookie, token, api-key, basic, oauth2 or none; empty: cookie for rest, token for brapi, basic for xmlrpc, user name and password for email.';
COMMENT ON COLUMN destinations.login_header IS 'api-key: the header of the key; empty: X-API-Key.';
COMMENT ON COLUMN destinations.login_scope IS 'oauth2: what a token is asked to allow.';
COMMENT ON COLUMN destinations.scheduled IS 'Since when the schedule holds, by the clock of the server.';
COMMENT ON TABLE scheduled_deliveries IS 'What schedules have sent, or are about to send: each once.';
COMMENT ON COLUMN scheduled_deliveries.destination IS 'Kind and name of the destination, as sftp:archive.';
COMMENT ON COLUMN scheduled_deliveries.date IS 'The day whose records are sent.';
COMMENT ON COLUMN scheduled_deliveries.occasion IS 'Time of the schedule, or time and lab of the complete check.';
COMMENT ON COLUMN scheduled_deliveries.taken IS 'When somebody began with it, by the clock of the server.';
COMMENT ON COLUMN scheduled_deliveries.taken_by IS 'Who: the person that the application names, else the login.';
COMMENT ON COLUMN scheduled_deliveries.login IS 'The login of that session; only it says what became of it.';
COMMENT ON COLUMN scheduled_deliveries.workstation IS 'On which computer, as the application says.';
COMMENT ON COLUMN scheduled_deliveries.delivery IS 'Number of the delivery that holds it; empty: it is being made.';

COMMENT ON TABLE delivery_receipts IS 'What receivers answered by mail, each mail once; see keep_answers.';
COMMENT ON COLUMN delivery_receipts.delivery IS 'Number of the delivery that the answer is about.';
COMMENT ON COLUMN delivery_receipts.digest IS 'SHA-256 of the mail, in hexadecimal.';
COMMENT ON COLUMN delivery_receipts.received IS 'When it was read, by the clock of the server.';
COMMENT ON COLUMN delivery_receipts.sender IS 'The address that the mail says it is from.';
COMMENT ON COLUMN delivery_receipts.message_id IS 'The Message-ID of the mail.';
COMMENT ON COLUMN delivery_receipts.verdict IS 'accepted, refused, or answer: neither in words that are sure.';
COMMENT ON COLUMN delivery_receipts.words IS 'The beginning of its text.';
COMMENT ON COLUMN delivery_receipts.settled IS 'When the outbox that has the delivery heard of it.';
COMMENT ON COLUMN delivery_receipts.login IS 'The login that read it from the mailbox.';
COMMENT ON COLUMN delivery_receipts.settled_by IS 'The login of that outbox.';

COMMENT ON TABLE mailbox_messages IS 'Mails of the mailbox of answers that were read, for 400 days.';
COMMENT ON COLUMN mailbox_messages.mailbox IS 'Server, folder and user.';
COMMENT ON COLUMN mailbox_messages.message IS 'UIDVALIDITY and UID by IMAP, the UIDL by POP3.';
COMMENT ON COLUMN mailbox_messages.looked IS 'When it was read.';
COMMENT ON COLUMN mailbox_messages.login IS 'The login that read it, or says so.';

COMMENT ON COLUMN deliveries.outdated IS 'When a record of the day was first changed after the extract was made; empty unless one was.';

COMMENT ON COLUMN lab_checks.version IS 'Counts the changes of this row.';
COMMENT ON COLUMN plot_checks.version IS 'Counts the changes of this row; a correction says which version it corrects.';

COMMENT ON TABLE audit IS 'Every change of a record, and of technicians, labs, plots and the weather. It only grows.';
COMMENT ON COLUMN audit.lab_id IS 'Letter of the laboratory; - for what belongs to none. Each has a chain of its own.';
COMMENT ON COLUMN audit.sequence IS 'Number within the chain, from 1 without a gap.';
COMMENT ON COLUMN audit.table_name IS 'The table whose row was changed.';
COMMENT ON COLUMN audit.key IS 'Which row of the table: the columns of its primary key.';
COMMENT ON COLUMN audit.operation IS 'INSERT, UPDATE or DELETE.';
COMMENT ON COLUMN audit.old IS 'The whole row before; empty for INSERT.';
COMMENT ON COLUMN audit.new IS 'The whole row after; empty for DELETE.';
COMMENT ON COLUMN audit.database_user IS 'Who was logged in to the database.';
COMMENT ON COLUMN audit.application_user IS 'Who changed it, as the application says.';
COMMENT ON COLUMN audit.workstation IS 'On which computer, as the application says.';
COMMENT ON COLUMN audit.moment IS 'When, by the clock of the server.';
COMMENT ON COLUMN audit.transaction IS 'Number of the transaction: what was changed together has the same.';
COMMENT ON COLUMN audit.reason IS 'Why, for corrections.';
COMMENT ON COLUMN audit.previous_hash IS 'Hash of the entry before it in the chain; empty in the first one.';
COMMENT ON COLUMN audit.typed IS 'When it was saved on the workstation, where the database was away then; else empty.';
COMMENT ON COLUMN audit.hash IS 'SHA-256, in hexadecimal, of previous_hash followed by audit_content, in UTF-8.';

COMMENT ON TABLE audit_heads IS 'The last entry of each chain.';
COMMENT ON COLUMN audit_heads.lab_id IS 'Letter of the laboratory; - for what belongs to none.';
COMMENT ON COLUMN audit_heads.sequence IS 'Number of that entry.';
COMMENT ON COLUMN audit_heads.hash IS 'Hash of that entry.';
COMMENT ON TABLE audit_baselines IS 'What was there before the audit began, so that none of it changes unseen.';
COMMENT ON COLUMN audit_baselines.table_name IS 'The table.';
COMMENT ON COLUMN audit_baselines.lab_id IS 'Letter of the laboratory; - for what belongs to none.';
COMMENT ON COLUMN audit_baselines.rows IS 'How many rows had no entry then.';
COMMENT ON COLUMN audit_baselines.digest IS 'Four sums of the parts of the SHA-256 of their contents.';
COMMENT ON COLUMN audit_baselines.columns IS 'The columns that the table had then.';
COMMENT ON COLUMN audit_baselines.sequence IS 'Number of the last entry of the lab then.';
COMMENT ON TABLE lab_members IS 'Which logins, or roles of theirs, belong to which labs, where labs are kept apart.';
COMMENT ON COLUMN lab_members.lab_id IS 'Letter of the laboratory.';
COMMENT ON COLUMN lab_members.member IS 'Name of a login or of a role.';
COMMENT ON TABLE check_presence IS 'Who said to be entering a check; see check_presence_view for those who still are.';
COMMENT ON COLUMN check_presence.lease IS 'Number of the advisory lock that the session holds.';
COMMENT ON COLUMN check_presence.process IS 'Number of the server process of that session.';
COMMENT ON COLUMN check_presence.date IS 'Day of the check that is being entered.';
COMMENT ON COLUMN check_presence.time IS 'Time of the check.';
COMMENT ON COLUMN check_presence.lab_id IS 'Letter of the laboratory.';
COMMENT ON COLUMN check_presence.plot IS 'Number of the plot in the form; empty where there is none.';
COMMENT ON COLUMN check_presence.application_user IS 'Who it is, as the application says.';
COMMENT ON COLUMN check_presence.workstation IS 'On which computer, as the application says.';
COMMENT ON COLUMN check_presence.since IS 'Since when, by the clock of the server.';
COMMENT ON VIEW check_presence_view IS 'Who is entering which check at this moment.';
COMMENT ON COLUMN check_presence_view.date IS 'Day of the check that is being entered.';
COMMENT ON COLUMN check_presence_view.time IS 'Time of the check.';
COMMENT ON COLUMN check_presence_view.lab_id IS 'Letter of the laboratory.';
COMMENT ON COLUMN check_presence_view.plot IS 'Number of the plot in the form; empty where there is none.';
COMMENT ON COLUMN check_presence_view.application_user IS 'Who it is, as the application says.';
COMMENT ON COLUMN check_presence_view.workstation IS 'On which computer, as the application says.';
COMMENT ON COLUMN check_presence_view.since IS 'Since when, by the clock of the server.';
COMMENT ON COLUMN check_presence_view.lease IS 'Number of the advisory lock that the session holds.';
COMMENT ON TABLE journal_entries IS 'Numbers of saves: one that comes again is known by it, and isn''t done twice.';
COMMENT ON COLUMN journal_entries.id IS 'Number that the window gave the save.';
COMMENT ON COLUMN journal_entries.applied IS 'When it was done, by the clock of the server.';

COMMENT ON TABLE technician_logins IS 'Which login is which technician''s own.';
COMMENT ON COLUMN technician_logins.login IS 'Name of a login of the server.';
COMMENT ON COLUMN technician_logins.lab_tech_id IS 'The technician who logs in with it, and nobody else.';

COMMENT ON TABLE lab_settings IS 'What holds for all workstations of this database; one row.';
COMMENT ON COLUMN lab_settings.id IS 'Always true.';
COMMENT ON COLUMN lab_settings.time_zone IS 'Time zone of the laboratories, such as America/Denver.';
COMMENT ON COLUMN lab_settings.control_from IS 'First day of the base period of control charts; empty: the first there is.';
COMMENT ON COLUMN lab_settings.control_to IS 'Last day of the base period of control charts; empty: the 30th.';

COMMENT ON TABLE value_marks IS 'What QA says of values and records, and what lab staff answer; see mark_value.';
COMMENT ON COLUMN value_marks.id IS 'Number of the mark.';
COMMENT ON COLUMN value_marks.date IS 'Day of the check of the record, where it stands now.';
COMMENT ON COLUMN value_marks.time IS 'Time of the check.';
COMMENT ON COLUMN value_marks.lab_id IS 'Letter of the laboratory.';
COMMENT ON COLUMN value_marks.plot IS 'Number of the plot within its laboratory.';
COMMENT ON COLUMN value_marks.field IS 'Which column of the record, such as humidity; record: the whole of it.';
COMMENT ON COLUMN value_marks.value IS 'The value when it was marked; empty for a whole record.';
COMMENT ON COLUMN value_marks.state IS 'queried, accepted or excluded.';
COMMENT ON COLUMN value_marks.status IS 'open (a query waits, others are in force), answered, corrected or closed.';
COMMENT ON COLUMN value_marks.words IS 'What QA says, or asks.';
COMMENT ON COLUMN value_marks.marked IS 'When QA marked it, or asked again, by the clock of the server.';
COMMENT ON COLUMN value_marks.marked_by IS 'Who that was.';
COMMENT ON COLUMN value_marks.answer IS 'What lab staff answered last.';
COMMENT ON COLUMN value_marks.answered IS 'When.';
COMMENT ON COLUMN value_marks.answered_by IS 'Who that was.';
COMMENT ON COLUMN value_marks.event IS 'What happened last, in a word or two, such as marked or brought back.';
COMMENT ON COLUMN value_marks.said IS 'What was said then; for a correction the value and the one before.';
COMMENT ON COLUMN value_marks.who IS 'Who did that.';
COMMENT ON COLUMN value_marks.changed IS 'When.';
COMMENT ON COLUMN value_marks.gone IS 'Entry of the audit with which the record was withdrawn; empty: it is there.';

COMMENT ON TABLE shift_notes IS 'What a shift leaves to the next, for a lab, a plot or a check; see write_note.';
COMMENT ON COLUMN shift_notes.id IS 'Number of the note.';
COMMENT ON COLUMN shift_notes.lab_id IS 'Letter of the laboratory.';
COMMENT ON COLUMN shift_notes.plot IS 'Number of the plot within its laboratory; empty: the lab, or a check.';
COMMENT ON COLUMN shift_notes.date IS 'Day of the check; empty: the lab, or a plot.';
COMMENT ON COLUMN shift_notes.time IS 'Time of the check; empty: the lab, or a plot.';
COMMENT ON COLUMN shift_notes.words IS 'What the note says.';
COMMENT ON COLUMN shift_notes.written IS 'When it was written, by the clock of the server.';
COMMENT ON COLUMN shift_notes.written_by IS 'Who wrote it.';
COMMENT ON COLUMN shift_notes.done IS 'When somebody said that it is done; empty: it is open.';
COMMENT ON COLUMN shift_notes.done_by IS 'Who that was.';

COMMENT ON TABLE alarm_calendar IS 'Checks that are expected: one that is missing an hour after its time is an alarm.';
COMMENT ON COLUMN alarm_calendar.lab_id IS 'Letter of the laboratory.';
COMMENT ON COLUMN alarm_calendar.weekday IS 'Day of the week: 1 is Monday, 7 is Sunday.';
COMMENT ON COLUMN alarm_calendar.time IS '8:00, 12:00, 16:00 or 20:00, by the clock of the laboratory.';
COMMENT ON COLUMN alarm_calendar.since IS 'Since when it is expected; what was due before isn''t missing.';

COMMENT ON TABLE alarm_receivers IS 'Who is told of alarms; holds no password.';
COMMENT ON COLUMN alarm_receivers.name IS 'What the receiver is called.';
COMMENT ON COLUMN alarm_receivers.kind IS 'mail or webhook.';
COMMENT ON COLUMN alarm_receivers.address IS 'Addresses of people, with commas between them; or that of a web service.';
COMMENT ON COLUMN alarm_receivers.server IS 'Where mail is handed in: smtp://host:port, or a destination of the kind email; empty: see the settings.';
COMMENT ON COLUMN alarm_receivers.username IS 'Who logs in there.';
COMMENT ON COLUMN alarm_receivers.login_method IS 'Of a webhook: token (Bearer), signature (HMAC-SHA-256), or empty.';

COMMENT ON TABLE alarms IS 'What somebody has to look after, and until when; those that have been over for 90 days are removed.';
COMMENT ON COLUMN alarms.id IS 'Number of the alarm.';
COMMENT ON COLUMN alarms.kind IS 'check missing, delivery late, delivery failed, backup, audit or disk.';
COMMENT ON COLUMN alarms.subject IS 'What it is about.';
COMMENT ON COLUMN alarms.words IS 'The same for people.';
COMMENT ON COLUMN alarms.lab_id IS 'Letter of the laboratory whose check is missing.';
COMMENT ON COLUMN alarms.date IS 'Day of the check or of the extract.';
COMMENT ON COLUMN alarms.time IS 'Time of the check.';
COMMENT ON COLUMN alarms.destination IS 'Kind and name of the destination, as sftp:archive.';
COMMENT ON COLUMN alarms.workstation IS 'The computer that alone knows when it ends; empty: the database knows.';
COMMENT ON COLUMN alarms.raised IS 'When it was found, by the clock of the server.';
COMMENT ON COLUMN alarms.raised_by IS 'The login of the workstation that found it.';
COMMENT ON COLUMN alarms.ended IS 'When it ended for people; empty: it is open.';
COMMENT ON COLUMN alarms.ended_words IS 'How it ended, as the end of a sentence.';
COMMENT ON COLUMN alarms.ended_by IS 'Who ended it; empty: it ended by itself.';
COMMENT ON COLUMN alarms.over IS 'When what it is about ended.';

COMMENT ON TABLE alarm_notices IS 'Who was told of the beginning and the end of an alarm: each once.';
COMMENT ON COLUMN alarm_notices.alarm IS 'Number of the alarm.';
COMMENT ON COLUMN alarm_notices.receiver IS 'Name of the receiver.';
COMMENT ON COLUMN alarm_notices.about IS 'begin or end.';
COMMENT ON COLUMN alarm_notices.state IS 'taken, sending, told, failed (it is tried again), given up or unknown.';
COMMENT ON COLUMN alarm_notices.taken IS 'When somebody last began to send it, by the clock of the server.';
COMMENT ON COLUMN alarm_notices.first IS 'When somebody first did.';
COMMENT ON COLUMN alarm_notices.attempts IS 'How often it was tried.';
COMMENT ON COLUMN alarm_notices.next IS 'When it is tried again.';
COMMENT ON COLUMN alarm_notices.said IS 'What the server said, or why it failed.';
COMMENT ON COLUMN alarm_notices.served IS 'Addresses that have got it, where others of the receiver have not.';
COMMENT ON COLUMN alarm_notices.workstation IS 'On which computer, as the application says.';
COMMENT ON COLUMN alarm_notices.login IS 'The login of that session; only it says what became of it.';

COMMENT ON TABLE notice_sources IS 'Feeds and newsgroups with notices of the company, and when they were asked.';
COMMENT ON COLUMN notice_sources.source IS 'Its address, without what may be secret in it.';
COMMENT ON COLUMN notice_sources.asked IS 'When a workstation began to ask it last.';
COMMENT ON COLUMN notice_sources.answered IS 'When it was known what became of that.';
COMMENT ON COLUMN notice_sources.fetched IS 'When it answered as it should the last time.';
COMMENT ON COLUMN notice_sources.not_before IS 'The server wants no request before this.';
COMMENT ON COLUMN notice_sources.problem IS 'Why nothing came the last time; empty: it did.';
COMMENT ON COLUMN notice_sources.state IS 'From where on to ask: ETag and Last-Modified, or the number of an article.';
COMMENT ON TABLE notices IS 'Notices of the company, the newest 200 of each source.';
COMMENT ON COLUMN notices.id IS 'Number of the notice here.';
COMMENT ON COLUMN notices.source IS 'From where it came.';
COMMENT ON COLUMN notices.mark IS 'What the source calls it: the id of the entry, or the Message-ID.';
COMMENT ON COLUMN notices.published IS 'When it was published or changed, as the source says; never in the future.';
COMMENT ON COLUMN notices.fetched IS 'When it came, or came changed.';
COMMENT ON COLUMN notices.title IS 'Its title, in one line.';
COMMENT ON COLUMN notices.words IS 'Its text, without HTML.';
COMMENT ON COLUMN notices.link IS 'The address of its page, if it has one.';
COMMENT ON COLUMN notices.login IS 'Whose workstation fetched it.';
COMMENT ON TABLE notice_readers IS 'Who has read which notice of the company.';
COMMENT ON COLUMN notice_readers.notice IS 'The notice.';
COMMENT ON COLUMN notice_readers.reader IS 'The technician as the application says, else whose login it is.';
COMMENT ON COLUMN notice_readers.read IS 'When.';
COMMENT ON COLUMN notice_readers.login IS 'The login that said so.';
COMMENT ON TABLE shift_messages IS 'Messages of the last 30 days between workstations; see send_message.';
COMMENT ON COLUMN shift_messages.id IS 'Number of the message, given by who sends it: sent twice, it is one.';
COMMENT ON COLUMN shift_messages.sent IS 'When it was sent, by the clock of the server.';
COMMENT ON COLUMN shift_messages.sender IS 'Who sent it: the technician as the application says, else whose login it is.';
COMMENT ON COLUMN shift_messages.login IS 'The login that sent it, as the server knows it.';
COMMENT ON COLUMN shift_messages.workstation IS 'From which computer, as the application says.';
COMMENT ON COLUMN shift_messages.lab_id IS 'To whoever is at this laboratory; empty: to a person, or to all.';
COMMENT ON COLUMN shift_messages.recipient IS 'To this technician; empty: to a laboratory, or to all.';
COMMENT ON COLUMN shift_messages.words IS 'The text, 640 characters at most.';

COMMENT ON TABLE shift_message_readers IS 'Whom a message has reached, each person once.';
COMMENT ON COLUMN shift_message_readers.message IS 'Number of the message.';
COMMENT ON COLUMN shift_message_readers.reader IS 'Who it is, as the application says, else whose login it is.';
COMMENT ON COLUMN shift_message_readers.lab_id IS 'The laboratory that the message is to; empty: to a person, or to all.';
COMMENT ON COLUMN shift_message_readers.delivered IS 'When a workstation of that person took it first.';
COMMENT ON COLUMN shift_message_readers.read IS 'When that person opened it; empty: not yet.';
COMMENT ON COLUMN shift_message_readers.login IS 'The login there, as the server knows it.';

COMMENT ON TABLE kept_until IS 'How far what takes long to find out is kept for QA''s views.';
COMMENT ON COLUMN kept_until.lab_id IS 'Letter of the laboratory.';
COMMENT ON COLUMN kept_until.sequence IS 'Number of the last entry in the audit of that lab that it takes account of.';
COMMENT ON COLUMN kept_until.moment IS 'When it was found out, by the clock of the server.';
COMMENT ON TABLE kept_outliers IS 'What reading_outliers told then.';
COMMENT ON TABLE kept_drift IS 'What sensor_drift told then.';

COMMENT ON VIEW withdrawn_records IS 'Records that were withdrawn and weren''t brought back, one row each time.';
COMMENT ON COLUMN withdrawn_records.withdrawn IS 'When, by the clock of the server.';
COMMENT ON COLUMN withdrawn_records.database_user IS 'Who was logged in to the database then.';
COMMENT ON COLUMN withdrawn_records.application_user IS 'Who withdrew it, as the application says.';
COMMENT ON COLUMN withdrawn_records.workstation IS 'On which computer, as the application says.';
COMMENT ON COLUMN withdrawn_records.reason IS 'Why.';
COMMENT ON COLUMN withdrawn_records.entry IS 'Number of the entry in the audit of that lab; bring_back_record takes it.';
-- Its columns of the extract mean what they mean in the view of the records.
DO $$
DECLARE
    each record;
BEGIN
    FOR each IN
        SELECT here.attname, col_description(there.attrelid, there.attnum) AS meaning
        FROM pg_attribute AS here
        JOIN pg_attribute AS there USING (attname)
        WHERE here.attrelid = 'withdrawn_records'::regclass AND there.attrelid = 'data_record_view'::regclass
            AND there.attnum > 0
    LOOP
        EXECUTE format('COMMENT ON COLUMN withdrawn_records.%I IS %L', each.attname, each.meaning);
    END LOOP;
END $$;

COMMENT ON VIEW plot_readings IS 'The records by lower-case names, each with the moment when its check was due.';
COMMENT ON VIEW outside_weather IS 'What was observed or computed outside, with the absolute humidity.';
COMMENT ON VIEW check_means IS 'Mean and median of the plots of a laboratory at each check; records without fault.';
COMMENT ON VIEW completeness IS 'Which plots were not recorded at each check that was due.';
COMMENT ON VIEW copied_records IS 'Records that say the same as the one of the same plot and time of the day before.';
COMMENT ON VIEW digit_preference IS 'How often each last digit stands in the readings of a technician.';
COMMENT ON VIEW growth IS 'How plants grew by plot, seed sample and day, and their degree days.';
COMMENT ON VIEW changes IS 'What was changed in records, one row a field.';
COMMENT ON VIEW weather_correlation IS 'The means of checks against the weather 0 to 12 hours before.';
COMMENT ON VIEW control_chart IS 'The means of checks without their daily course, and which rules they violate.';
COMMENT ON VIEW reading_outliers IS 'Readings that stand out among those of the same sensor.';
COMMENT ON VIEW sensor_drift IS 'Whether a sensor drifts from those beside it, over the last 90 days.';
COMMENT ON VIEW entry_log IS 'When each record was entered, and how long after it was due.';
COMMENT ON VIEW changed_since_kept IS 'Records that were changed since the outliers and drifts of their lab were kept.';
COMMENT ON VIEW climate_by_check IS 'The climate inside at each check, and the weather observed nearest to it.';

-- A column means the same in each of these views, unless it is said otherwise.
DO $$
DECLARE
    each record;
BEGIN
    FOR each IN
        SELECT attrelid::regclass AS view, attname AS name, meaning
        FROM pg_attribute JOIN (VALUES
            ('', 'date', 'Day of the check, by the clock of the laboratory.'),
            ('', 'time', 'Time of the check, by the clock of the laboratory.'),
            ('', 'due', 'The moment when the check was due.'),
            ('', 'lab', 'Letter of the laboratory.'),
            ('', 'plot', 'Number of the plot within its laboratory, 1 to 20.'),
            ('', 'seed_sample', 'The seed sample that grew in the plot, 6 characters.'),
            ('', 'technician', 'Who recorded this plot.'),
            ('', 'field', 'humidity, light or temperature.'),
            ('', 'readings', 'Number of records without fault.'),
            ('plot_readings', 'humidity', 'Absolute humidity in g/m³; empty after an equipment fault.'),
            ('plot_readings', 'light', 'Light in klx; empty after an equipment fault.'),
            ('plot_readings', 'temperature', 'Temperature in °C; empty after an equipment fault.'),
            ('', 'equipment_fault', 'The sensors failed: humidity, light and temperature are empty.'),
            ('', 'plants', 'Number of plants.'),
            ('', 'blossoms', 'Number of blossoms.'),
            ('', 'fruit', 'Number of fruit.'),
            ('', 'min_height', 'Height of the smallest plant in cm.'),
            ('', 'max_height', 'Height of the tallest plant in cm.'),
            ('', 'median_height', 'Median height of the plants in cm.'),
            ('', 'notes', 'Free text.'),
            ('', 'moment', 'Moment of the observation.'),
            ('outside_weather', 'temperature', 'Temperature in °C.'),
            ('', 'rel_hum', 'Relative humidity in %.'),
            ('', 'pressure', 'Air pressure reduced to sea level, in mb (hPa).'),
            ('', 'kind', 'observed, or computed by a model.'),
            ('outside_weather', 'humidity', 'Absolute humidity in g/m³, of temperature and relative humidity.'),
            ('', 'temperature_mean', 'Mean temperature of the plots in °C.'),
            ('', 'temperature_median', 'Median temperature of the plots in °C.'),
            ('', 'humidity_mean', 'Mean absolute humidity of the plots in g/m³.'),
            ('', 'humidity_median', 'Median absolute humidity of the plots in g/m³.'),
            ('', 'light_mean', 'Mean light of the plots in klx.'),
            ('', 'light_median', 'Median light of the plots in klx.'),
            ('', 'expected', 'Number of plots that the laboratory had then.'),
            ('', 'recorded', 'Number of plots that were recorded.'),
            ('', 'missing', 'The plots that were not.'),
            ('', 'same_climate', 'Humidity, light and temperature are those of the day before.'),
            ('', 'same_heights', 'The three heights are those of the day before.'),
            ('', 'n', 'Number of readings.'),
            ('', 'chi2', 'Chi-square of the ten last digits; empty below ten readings.'),
            ('', 'p', 'Probability of a chi-square at least that large, 9 degrees of freedom.'),
            ('', 'cramers_v', 'Effect size: 0, all digits are as frequent, to 1, there is one only.'),
            ('', 'share_0_5', 'Share of readings that end in 0 or 5; 0.2 is to be expected.'),
            ('', 'temperature_readings', 'Number of temperatures, without those that are excluded.'),
            ('', 'humidity_readings', 'Number of humidities, without those that are excluded.'),
            ('', 'light_readings', 'Number of light readings, without those that are excluded.'),
            ('', 'outside_temperature', 'Temperature outside in °C.'),
            ('', 'outside_rel_hum', 'Relative humidity outside in %.'),
            ('', 'outside_humidity', 'Absolute humidity outside in g/m³.'),
            ('', 'outside_pressure', 'Air pressure in mb (hPa), reduced to sea level.'),
            ('', 'distance_minutes', 'From the observation to the check, at most 45.'),
            ('', 'vpd_kpa', 'Vapour pressure deficit inside in kPa, of the means.'),
            ('', 'temperature_difference', 'Mean inside less outside, in °C.'),
            ('', 'humidity_difference', 'Mean inside less outside, in g/m³.'),
            ('', 'height', 'Last median height of the day in cm.'),
            ('', 'gain', 'Height less that of the day before of the same seed sample, in cm.'),
            ('', 'gdd', 'Degree days of that day, the mean kept within 10 and 30 °C.'),
            ('', 'gdd_cumulative', 'Sum of gdd since the first day of the seed sample in that plot.'),
            ('', 'gdd_clipped', 'Degree days of that day, minimum and maximum kept within 10 and 30 °C.'),
            ('', 'gdd_clipped_cumulative', 'Sum of gdd_clipped since the first day of the seed sample.'),
            ('changes', 'moment', 'When, by the clock of the server.'),
            ('', 'who', 'Who changed it; with the login where that is not this person''s own.'),
            ('', 'workstation', 'On which computer, as the application says.'),
            ('', 'reason', 'Why.'),
            ('changes', 'field', 'Which column of the record; record where it was withdrawn or brought back.'),
            ('', 'was', 'The value before.'),
            ('', 'became', 'The value after.'),
            ('', 'lag_hours', 'The weather is that of so many hours before the check.'),
            ('weather_correlation', 'n', 'Number of pairs.'),
            ('', 'r', 'Pearson''s r of the mean of a check and the weather.'),
            ('', 'r_without_daily_cycle', 'The same when both have lost the mean of their time of day.'),
            ('', 'n_effective', 'Number of independent pairs, by the lag-1 autocorrelations.'),
            ('weather_correlation', 'low', 'Lower 95 % limit of r at n_effective.'),
            ('weather_correlation', 'high', 'Upper 95 % limit of r at n_effective.'),
            ('', 'slope', 'Change inside by 1 outside.'),
            ('', 'intercept', 'Inside where outside is 0.'),
            ('control_chart', 'moment', 'When the check was due.'),
            ('control_chart', 'value', 'Mean of the check less the usual mean of its time of day.'),
            ('', 'centre', 'Mean of the base period.'),
            ('', 'lower', 'Lower limit, of the moving ranges of the base period.'),
            ('', 'upper', 'Upper limit, of the moving ranges of the base period.'),
            ('', 'rules', 'Numbers of the rules of Nelson that are violated there.'),
            ('reading_outliers', 'value', 'The reading.'),
            ('', 'median', 'Median of the plots of the laboratory at that check.'),
            ('', 'deviation', 'The reading less that median.'),
            ('', 'z', 'Modified z; over 3.5 or below -3.5.'),
            ('', 'days', 'Number of days with readings, of the last 90.'),
            ('', 'slope_per_day', 'Theil-Sen slope of the daily mean residual.'),
            ('sensor_drift', 'low', 'Lower 95 % limit of the slope.'),
            ('sensor_drift', 'high', 'Upper 95 % limit of the slope.'),
            ('', 'tau', 'Kendall''s tau-b with time.'),
            ('', 'ewma_since', 'Since when the EWMA is outside of its limits; empty if it is not.'),
            ('', 'cusum_since', 'Since when the CUSUM is outside of its limits; empty if it is not.'),
            ('', 'entered', 'When the database had it first; empty for records from before the audit.'),
            ('', 'typed', 'When it was saved on the workstation.'),
            ('', 'minutes_late', 'From when it was due to when it was typed.'),
            ('', 'offline', 'Whether it was typed while the database was away; empty for entries from before version 5.'),
            ('', 'application_user', 'Who entered it, as the application says.'),
            ('', 'outside_kind', 'observed, or a model''s where nothing was observed within 45 minutes.')
        ) AS words (view, name, meaning) ON words.name = attname
        WHERE attrelid = ANY (qa_views()::regclass[])
            AND attnum > 0 AND (words.view = '' OR words.view = (SELECT relname FROM pg_class WHERE oid = attrelid))
        ORDER BY words.view -- what is said of one view alone goes over the rest
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', each.view, each.name, each.meaning);
    END LOOP;
    FOR each IN
        SELECT kept.attrelid::regclass AS name, kept.attname, col_description(told.attrelid, told.attnum) AS meaning
        FROM (VALUES ('kept_outliers'::regclass, 'reading_outliers'::regclass), ('kept_drift', 'sensor_drift'))
            AS pairs (stored, view)
        JOIN pg_attribute AS kept ON kept.attrelid = stored AND kept.attnum > 0
        JOIN pg_attribute AS told ON told.attrelid = view
            AND told.attname = CASE kept.attname WHEN 'lab_id' THEN 'lab' ELSE kept.attname END
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', each.name, each.attname, each.meaning);
    END LOOP;
END $$;

-- What each number is measured in, as a code of UCUM, and the ontology's term where there is one: programs read both from
-- the end of the comments. abq_data_entry/fields has the same of the fields.
DO $$
DECLARE
    each record;
BEGIN
    FOR each IN
        SELECT attrelid::regclass AS relation, attname AS name,
            col_description(attrelid, attnum) || ' UCUM: ' || code || '.' || coalesce(' Term: ' || term || '.', '')
                AS meaning
        FROM pg_attribute JOIN (VALUES
            ('plot_checks plot_readings', 'humidity', 'g/m3', NULL),
            ('plot_checks plot_readings', 'light', 'klx', NULL),
            ('plot_checks plot_readings', 'temperature', 'Cel', NULL),
            ('plot_checks plot_readings', 'plants', '1', NULL),
            ('plot_checks plot_readings', 'blossoms', '1', NULL),
            ('plot_checks plot_readings', 'fruit', '1', 'TO:0000894'),
            ('plot_checks plot_readings', 'min_height', 'cm', 'TO:0000207'),
            ('plot_checks plot_readings', 'max_height', 'cm', 'TO:0000207'),
            ('plot_checks plot_readings', 'median_height', 'cm', 'TO:0000207'),
            ('data_record_view withdrawn_records', 'Humidity', 'g/m3', NULL),
            ('data_record_view withdrawn_records', 'Light', 'klx', NULL),
            ('data_record_view withdrawn_records', 'Temperature', 'Cel', NULL),
            ('data_record_view withdrawn_records', 'Plants', '1', NULL),
            ('data_record_view withdrawn_records', 'Blossoms', '1', NULL),
            ('data_record_view withdrawn_records', 'Fruit', '1', 'TO:0000894'),
            ('data_record_view withdrawn_records', 'Min Height', 'cm', 'TO:0000207'),
            ('data_record_view withdrawn_records', 'Max Height', 'cm', 'TO:0000207'),
            ('data_record_view withdrawn_records', 'Median Height', 'cm', 'TO:0000207'),
            ('local_weather outside_weather', 'temperature', 'Cel', NULL),
            ('local_weather outside_weather', 'rel_hum', '%', NULL),
            ('local_weather outside_weather', 'pressure', 'hPa', NULL),
            ('outside_weather', 'humidity', 'g/m3', NULL),
            ('check_means climate_by_check completeness', 'readings', '1', NULL),
            ('check_means', 'temperature_readings', '1', NULL),
            ('check_means', 'humidity_readings', '1', NULL),
            ('check_means', 'light_readings', '1', NULL),
            ('check_means climate_by_check', 'humidity_mean', 'g/m3', NULL),
            ('check_means climate_by_check', 'humidity_median', 'g/m3', NULL),
            ('check_means climate_by_check', 'light_mean', 'klx', NULL),
            ('check_means climate_by_check', 'light_median', 'klx', NULL),
            ('check_means climate_by_check', 'temperature_mean', 'Cel', NULL),
            ('check_means climate_by_check', 'temperature_median', 'Cel', NULL),
            ('climate_by_check', 'outside_temperature', 'Cel', NULL),
            ('climate_by_check', 'outside_rel_hum', '%', NULL),
            ('climate_by_check', 'outside_humidity', 'g/m3', NULL),
            ('climate_by_check', 'outside_pressure', 'hPa', NULL),
            ('climate_by_check', 'distance_minutes', 'min', NULL),
            ('climate_by_check', 'vpd_kpa', 'kPa', NULL),
            ('climate_by_check', 'temperature_difference', 'K', NULL),
            ('climate_by_check', 'humidity_difference', 'g/m3', NULL),
            ('completeness', 'expected', '1', NULL),
            ('completeness', 'recorded', '1', NULL),
            ('entry_log', 'minutes_late', 'min', NULL),
            ('growth', 'height', 'cm', 'TO:0000207'),
            ('growth', 'gain', 'cm', NULL),
            ('growth', 'gdd', 'K.d', NULL),
            ('growth', 'gdd_cumulative', 'K.d', NULL),
            ('growth', 'gdd_clipped', 'K.d', NULL),
            ('growth', 'gdd_clipped_cumulative', 'K.d', NULL),
            ('weather_correlation', 'lag_hours', 'h', NULL),
            ('weather_correlation digit_preference', 'n', '1', NULL),
            ('weather_correlation', 'r', '1', NULL),
            ('weather_correlation', 'r_without_daily_cycle', '1', NULL),
            ('weather_correlation', 'n_effective', '1', NULL),
            ('weather_correlation', 'low', '1', NULL),
            ('weather_correlation', 'high', '1', NULL),
            ('digit_preference', 'chi2', '1', NULL),
            ('digit_preference', 'p', '1', NULL),
            ('digit_preference', 'cramers_v', '1', NULL),
            ('digit_preference', 'share_0_5', '1', NULL),
            ('reading_outliers', 'z', '1', NULL),
            ('sensor_drift', 'days', 'd', NULL),
            ('sensor_drift', 'tau', '1', NULL)
        ) AS codes (relations, name, code, term) ON codes.name = attname
        WHERE attrelid = ANY (string_to_array(relations, ' ')::regclass[]) AND attnum > 0
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', each.relation, each.name, each.meaning);
    END LOOP;
END $$;

COMMENT ON TABLE schema_version IS 'Which versions of create_db.sql were applied to this database.';
COMMENT ON COLUMN schema_version.version IS 'The version; 0 for tables from before there were versions.';
COMMENT ON COLUMN schema_version.applied IS 'When it was applied, by the clock of the server.';

-- ------------------------------------------------------------------------------------------------- to begin with
-- Once only: what an administrator changes or deletes afterwards is never brought back.

DO $$
BEGIN
    IF EXISTS (SELECT FROM schema_version) THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM lab_techs) THEN
        INSERT INTO lab_techs (id, name)
            VALUES (4291, 'J Simms'), (4319, 'P Taylor'), (4478, 'Q Murphy'), (5607, 'L Taniff');
    END IF;
    IF NOT EXISTS (SELECT FROM labs) THEN
        INSERT INTO labs (id) VALUES ('A'), ('B'), ('C'), ('D'), ('E');
    END IF;
    IF NOT EXISTS (SELECT FROM plots) THEN
        INSERT INTO plots (lab_id, plot, current_seed_sample)
            SELECT labs.id, number, 'AXM' || 477 + (number - 1) % 4
            FROM labs, generate_series(1, 20) AS number;
    END IF;
END $$;

-- Version 0 had no table of versions. Rows that are older than the audit are known by it.
INSERT INTO schema_version (version)
    SELECT 0 WHERE NOT EXISTS (SELECT FROM schema_version) AND EXISTS (SELECT FROM lab_checks);

INSERT INTO schema_version (version) VALUES (8) ON CONFLICT (version) DO NOTHING;

-- The time zone of the server, until somebody says where the laboratories are.
INSERT INTO lab_settings (time_zone)
    SELECT coalesce((
        SELECT name FROM pg_timezone_names
        WHERE name = (SELECT reset_val FROM pg_settings WHERE pg_settings.name = 'TimeZone')
    ), 'UTC')
    WHERE NOT EXISTS (SELECT FROM lab_settings);

-- What has no entry now is what was there before the audit: see audit_baselines.
SET CONSTRAINTS ALL IMMEDIATE;

DO $$
DECLARE
    name text;
BEGIN
    SET LOCAL enable_nestloop = off; -- with statistics from before the tables grew it would look cheap
    SET LOCAL timezone = 'UTC'; -- as the entries have it
    FOREACH name IN ARRAY ARRAY[
        'plot_checks', 'lab_checks', 'plots', 'labs', 'lab_members', 'lab_techs', 'local_weather',
        'technician_logins', 'deliveries', 'schema_version', 'lab_settings', 'value_marks', 'shift_notes', 'destinations'
    ] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM audit_baselines WHERE table_name = name);
        EXECUTE format($query$
            WITH hashed AS (
                SELECT coalesce(key ->> 'lab_id', CASE %2$L WHEN 'labs' THEN key ->> 'id' END, '-') AS lab_id,
                    encode(sha256(convert_to((content - 'outdated')::text, 'UTF8')), 'hex') AS hash
                FROM (
                    SELECT audit_row(%2$L, to_jsonb(each)) AS content, audit_key(%2$L, to_jsonb(each)) AS key
                    FROM %1$I AS each
                ) AS row
                WHERE NOT EXISTS (SELECT FROM audit WHERE audit.key = row.key AND audit.table_name = %2$L)
                UNION ALL
                SELECT '-', NULL
                UNION ALL
                SELECT lab_id, NULL FROM audit_heads WHERE EXISTS (SELECT FROM schema_version WHERE version = 3)
            )
            INSERT INTO audit_baselines (table_name, lab_id, rows, digest, columns, sequence)
            SELECT %2$L, lab_id, count(hash), concat_ws(' ',
                    sum(('x' || substr(hash, 1, 16))::bit(64)::bigint), sum(('x' || substr(hash, 17, 16))::bit(64)::bigint),
                    sum(('x' || substr(hash, 33, 16))::bit(64)::bigint), sum(('x' || substr(hash, 49, 16))::bit(64)::bigint)
                ), (
                    SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
                    WHERE attrelid = %2$L::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'outdated'
                ), coalesce((SELECT sequence FROM audit_heads WHERE audit_heads.lab_id = hashed.lab_id), 0)
            FROM hashed GROUP BY lab_id
        $query$, name, name);
    END LOOP;
END $$;

COMMIT;
