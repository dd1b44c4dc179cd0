-- The whole schema of ABQ Data Entry, for PostgreSQL 13 or newer.
--
--     psql --set ON_ERROR_STOP=1 --dbname abq --file create_db.sql
--
-- It can be applied again at any time: what is there already stays as it is, with all its rows and rights. A database
-- made by an older version is brought to this one without loss; one made by a newer version is refused. All happens in
-- one transaction, so an error leaves the database as it was.

BEGIN;

SET LOCAL client_min_messages = warning;

-- Two workstations that start at once: the second waits here until the first is done.
DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('abq_data_entry schema')); END $$;

CREATE TABLE IF NOT EXISTS schema_version (
    version integer PRIMARY KEY,
    applied timestamp(0) with time zone NOT NULL DEFAULT now()
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM schema_version WHERE version > 1) THEN
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

-- ------------------------------------------------------------------- from the first schema, which kept no version

ALTER TABLE plot_checks ADD COLUMN IF NOT EXISTS lab_tech_id smallint REFERENCES lab_techs (id);

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

COMMENT ON TABLE lab_techs IS 'Technicians who take readings.';
COMMENT ON COLUMN lab_techs.id IS 'Number of the technician, as on the badge.';
COMMENT ON COLUMN lab_techs.name IS 'Name, as the form and the extract show it.';

COMMENT ON TABLE labs IS 'Laboratories.';
COMMENT ON COLUMN labs.id IS 'Letter of the laboratory.';

COMMENT ON TABLE plots IS 'Plots of each laboratory.';
COMMENT ON COLUMN plots.plot IS 'Number of the plot within its laboratory, 1 to 20.';
COMMENT ON COLUMN plots.current_seed_sample IS 'The seed sample that grows in the plot now; the form fills it in.';

COMMENT ON TABLE lab_checks IS 'Checks: one laboratory at one of the four times of a day.';
COMMENT ON COLUMN lab_checks.time IS '8:00, 12:00, 16:00 or 20:00, by the clock of the laboratory.';
COMMENT ON COLUMN lab_checks.lab_tech_id IS 'Who did the check.';

COMMENT ON TABLE plot_checks IS 'Records: the readings of one plot at one check.';
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

COMMENT ON VIEW data_record_view IS 'One row a record, with the columns of the daily extract.';
COMMENT ON COLUMN data_record_view."Time" IS 'Text such as 8:00. To sort by time, use "Time"::time.';
COMMENT ON COLUMN data_record_view."Technician" IS 'Who recorded this plot.';
COMMENT ON COLUMN data_record_view."Humidity" IS 'Absolute humidity in g/m³; empty after an equipment fault.';
COMMENT ON COLUMN data_record_view."Light" IS 'Light in klx; empty after an equipment fault.';
COMMENT ON COLUMN data_record_view."Temperature" IS 'Temperature in °C; empty after an equipment fault.';
COMMENT ON COLUMN data_record_view."Min Height" IS 'Height of the smallest plant in cm.';
COMMENT ON COLUMN data_record_view."Max Height" IS 'Height of the tallest plant in cm.';
COMMENT ON COLUMN data_record_view."Median Height" IS 'Median height of the plants in cm.';

COMMENT ON TABLE schema_version IS 'Which versions of create_db.sql were applied to this database.';

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
    INSERT INTO schema_version (version) VALUES (1);
END $$;

COMMIT;
